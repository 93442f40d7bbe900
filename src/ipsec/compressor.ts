// DEFLATE as this folder sees it (RFC 1951; RFC 2394 for its use in IPComp): one payload at a time, no history between them.

export interface Compressor {
  /** What the last call has made, from its beginning; valid until the next call. */
  readonly output: Uint8Array;
  /** Compresses bytes[start, end); the octets that it made, or -1 when they would be more than `limit`. */
  compress(bytes: Uint8Array, start: number, end: number, limit: number): number;
  /** The reverse; -1 also for what is no whole stream. */
  decompress(bytes: Uint8Array, start: number, end: number, limit: number): number;
}
