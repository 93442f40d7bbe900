// Texts on the mesh: what is long goes in pieces of what gzip makes of it, in Base64.

import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { PIECE_CHARACTERS } from '../../iquery/messages.ts';

const zip = promisify(gzip);
const unzip = promisify(gunzip);

/** Octets of the largest text that is taken. */
const MOST_OCTETS = 256 * 1024 * 1024;
const MOST_PARTS = 8192;

export async function packText(octets: Uint8Array): Promise<readonly string[]> {
  const text = (await zip(octets)).toString('base64');
  const parts: string[] = [];
  for (let at = 0; at < text.length; at += PIECE_CHARACTERS) parts.push(text.slice(at, at + PIECE_CHARACTERS));
  return parts;
}

type Piece = { readonly digest: string; readonly part: number; readonly parts: number; readonly text: string };

/** One text that is expected of one peer. */
export class IncomingText {
  readonly server: string;
  readonly digest: string;
  readonly #done: (octets: Promise<Uint8Array>) => void;
  readonly #pieces: string[] = [];
  #hasEnded = false;
  readonly octets: Promise<Uint8Array>;

  constructor(server: string, digest: string) {
    this.server = server;
    this.digest = digest;
    const { promise, resolve } = withResolver<Uint8Array>();
    this.octets = promise;
    this.octets.catch(() => undefined);
    this.#done = resolve;
  }

  /** Pieces come in their order, as all on one connection does. */
  take({ part, parts, text }: Piece): void {
    if (this.#hasEnded) return;
    if (parts === 0) {
      this.fail('it does not have it any more');
      return;
    }
    if (parts > MOST_PARTS || part !== this.#pieces.length) {
      this.fail(`piece ${part} of ${parts} came out of turn`);
      return;
    }
    this.#pieces.push(text);
    if (this.#pieces.length < parts) return;
    this.#hasEnded = true;
    this.#done(unzip(Buffer.from(this.#pieces.join(''), 'base64'), { maxOutputLength: MOST_OCTETS }));
  }

  fail(reason: string): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#done(Promise.reject(new Error(reason)));
  }
}

function withResolver<T>(): { promise: Promise<T>; resolve: (value: Promise<T>) => void } {
  let resolve: (value: Promise<T>) => void = () => undefined;
  const promise = new Promise<T>((settle) => (resolve = settle));
  return { promise, resolve };
}
