import type { CheckVerdict } from '../contract/content-check.ts';
import { extensionOf } from './name-and-size.ts';

interface ImageKind {
  readonly name: string;
  readonly extensions: readonly string[];
  readonly matches: (head: Buffer) => boolean;
}

const HEAD_BYTES = 12;

/** Source: the signatures of the formats' own specifications. */
const KINDS: readonly ImageKind[] = [
  {
    name: 'PNG',
    extensions: ['png'],
    matches: (head) => head.toString('latin1', 0, 8) === '\x89PNG\r\n\x1a\n',
  },
  {
    name: 'JPEG',
    extensions: ['jpg', 'jpeg'],
    matches: (head) => head.toString('latin1', 0, 3) === '\xff\xd8\xff',
  },
  { name: 'GIF', extensions: ['gif'], matches: (head) => /^GIF8[79]a/.test(head.toString('latin1', 0, 6)) },
  {
    name: 'WebP',
    extensions: ['webp'],
    matches: (head) => /^RIFF[^]{4}WEBP/.test(head.toString('latin1', 0, HEAD_BYTES)),
  },
];

/** Tells by the first bytes whether a file is an image of a kind that vision takes. */
export class ImageContent {
  readonly #fileName: string;
  readonly #head = Buffer.alloc(HEAD_BYTES);
  #headBytes = 0;

  constructor(fileName: string) {
    this.#fileName = fileName;
  }

  write(chunk: Uint8Array): void {
    if (this.#headBytes === HEAD_BYTES) return;
    const part = chunk.subarray(0, HEAD_BYTES - this.#headBytes);
    this.#head.set(part, this.#headBytes);
    this.#headBytes += part.length;
  }

  end(): CheckVerdict {
    const kind = KINDS.find(({ matches }) => matches(this.#head.subarray(0, this.#headBytes)));
    if (kind === undefined)
      return {
        problem: {
          rule: 'not-image',
          message: 'its first bytes are not those of a PNG, JPEG, GIF or WebP image',
        },
        warnings: [],
      };
    const named = kind.extensions.includes(extensionOf(this.#fileName));
    return {
      problem: null,
      warnings: named ? [] : [`a ${kind.name} image by its content, but not by its name`],
    };
  }
}
