// A text that comes in pieces on a connection, before the method that is about it: for texts that are longer than a message.

import { IpcError } from './ipc-error.ts';

export class TextUploads {
  readonly #most: number;
  readonly #texts = new WeakMap<object, string[]>();

  /** `most`: characters of a text. */
  constructor(most: number) {
    this.#most = most;
  }

  /** Throws an IpcError. */
  add(connection: object, part: number, text: string): void {
    const pieces = part === 0 ? [] : (this.#texts.get(connection) ?? []);
    if (pieces.length !== part)
      throw new IpcError('refused', `piece ${part} of a text came instead of ${pieces.length}`);
    const length = pieces.reduce((sum, piece) => sum + piece.length, text.length);
    if (length > this.#most) {
      this.#texts.delete(connection);
      throw new IpcError('refused', `a text of more than ${this.#most} characters`);
    }
    pieces.push(text);
    this.#texts.set(connection, pieces);
  }

  /** The text so far, which is forgotten. */
  take(connection: object): string {
    const pieces = this.#texts.get(connection) ?? [];
    this.#texts.delete(connection);
    return pieces.join('');
  }
}
