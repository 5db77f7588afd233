/** Contents that every purpose takes, different for every seed. */
import { batchRequest, linesOf } from '../../corpus/make-corpus.ts';

/** A batch input of so many requests. */
export function batchFile(seed: number, requests = 1): Buffer {
  return linesOf(Array.from({ length: requests }, (_, index) => batchRequest(seed * 1_000_000 + index)));
}

/** A chat training file: ten examples, the fewest that training takes. */
export function fineTuneFile(seed: number): Buffer {
  const example = {
    messages: [
      { role: 'user', content: `What is ${seed}?` },
      { role: 'assistant', content: 'A number.' },
    ],
  };
  return linesOf(Array.from({ length: 10 }, () => example));
}

export function evalsFile(seed: number): Buffer {
  return linesOf([{ item: { question: `What is ${seed}?` } }]);
}

/** Begins as a PNG does. */
export function pngFile(seed: number, sizeBytes = 64): Buffer {
  const file = Buffer.alloc(sizeBytes, seed % 251);
  Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex').copy(file);
  file.writeUInt32BE(seed, 16);
  return file;
}

export function pdfFile(seed: number): Buffer {
  return Buffer.from(`%PDF-1.7\n% ${seed}\n%%EOF\n`);
}

/** A batch input of about this size, in lines of 64 KiB. */
export function bigBatchFile(seed: number, sizeBytes: number): Buffer {
  const padding = 'x'.repeat(65_536);
  const lines = Array.from({ length: Math.ceil(sizeBytes / padding.length) }, (_, index) => ({
    custom_id: `request-${seed}-${index}`,
    method: 'POST',
    url: '/v1/chat/completions',
    body: { model: 'gpt-4o-mini', messages: [{ role: 'user', content: padding }] },
  }));
  return linesOf(lines);
}
