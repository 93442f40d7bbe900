// Where an answer of HTTP/1.x ends (RFC 9112, section 6.3), so that whoever does not find what he looks for need not wait for
// the end of the connection. An answer of another form ends with its connection.

const MOST_HEADER = 5120;

export class HttpFraming {
  readonly #isBodyless: boolean;
  /** Where the body begins; -1: not there yet. */
  #body = -1;
  /** Where the header of this response begins: behind those of 1xx. */
  #from = 0;
  /** Where the body ends; -1: by chunks; Infinity: with the connection. */
  #end = Infinity;
  /** Where the next chunk begins. */
  #chunk = 0;

  /** `isBodyless`: the request was HEAD. */
  constructor(isBodyless: boolean) {
    this.#isBodyless = isBodyless;
  }

  /** Whether it says where it ends. */
  get isBounded(): boolean {
    return this.#body >= 0 && this.#end !== Infinity;
  }

  /** Whether all of it is there. `text`: all octets so far, each as a character of latin1. */
  isWhole(text: string): boolean {
    while (this.#body < 0) {
      const end = /\r?\n\r?\n/.exec(text.slice(this.#from, MOST_HEADER));
      if (end === null || !text.startsWith('HTTP/1.', this.#from)) return false;
      const header = text.slice(this.#from, this.#from + end.index);
      const next = this.#from + end.index + end[0].length;
      if (/^HTTP\/1\.\d 1\d\d/.test(header)) this.#from = next;
      else this.#readHeader(header, next);
    }
    return this.#end === -1 ? this.#hasLastChunk(text) : text.length >= this.#end;
  }

  #readHeader(header: string, body: number): void {
    this.#body = this.#chunk = body;
    if (this.#isBodyless || /^HTTP\/1\.\d (?:204|304)/.test(header)) {
      this.#end = body;
    } else if (/\ntransfer-encoding:[^\n]*chunked\s*(?:\n|$)/i.test(header)) {
      this.#end = -1;
    } else {
      const length = /\ncontent-length:[ \t]*(\d{1,15})[ \t]*(?:\r?\n|\r?$)/i.exec(header)?.[1];
      if (length !== undefined) this.#end = body + Number(length);
    }
  }

  #hasLastChunk(text: string): boolean {
    for (;;) {
      const line = /^([0-9a-fA-F]{1,8})[^\n]*\n/.exec(text.slice(this.#chunk, this.#chunk + 256));
      if (line === null) return false;
      const length = Number.parseInt(line[1]!, 16);
      // Trailers are not waited for.
      if (length === 0) return true;
      const next = this.#chunk + line[0].length + length + 2;
      if (next > text.length) return false;
      this.#chunk = next;
    }
  }
}
