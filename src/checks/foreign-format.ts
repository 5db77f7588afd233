/** Formats that are taken for JSON Lines by mistake, by what stands at their start, the longer marks first. */
const FORMATS: readonly { readonly name: string; readonly start: readonly number[] }[] = [
  { name: 'UTF-32', start: [0xff, 0xfe, 0x00, 0x00] },
  { name: 'UTF-32', start: [0x00, 0x00, 0xfe, 0xff] },
  { name: 'UTF-16', start: [0xff, 0xfe] },
  { name: 'UTF-16', start: [0xfe, 0xff] },
  // Without a byte-order mark: an opening brace or bracket, and what makes it two bytes.
  { name: 'UTF-16', start: [0x7b, 0x00] },
  { name: 'UTF-16', start: [0x00, 0x7b] },
  { name: 'UTF-16', start: [0x5b, 0x00] },
  { name: 'UTF-16', start: [0x00, 0x5b] },
  { name: 'a gzip file', start: [0x1f, 0x8b] },
  { name: 'a zstd file', start: [0x28, 0xb5, 0x2f, 0xfd] },
  { name: 'a zip file', start: [0x50, 0x4b, 0x03, 0x04] },
  { name: 'a Parquet file', start: [0x50, 0x41, 0x52, 0x31] },
];

/** What a file is that starts like this, if it is no text in UTF-8. Source: the Unicode standard, the formats' own. */
export function foreignFormatOf(head: Uint8Array): string | null {
  return FORMATS.find(({ start }) => start.every((byte, at) => head[at] === byte))?.name ?? null;
}
