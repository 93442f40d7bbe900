// Messages on a stream socket: a 32-bit big-endian length, then that many octets of JSON.

import { MAX_MESSAGE_OCTETS, describeIssues, messageSchema } from './schema.ts';
import type { Message } from './schema.ts';

const LENGTH_OCTETS = 4;

/** A peer sent what is no message; the connection is of no more use. */
export class FramingError extends Error {
  override readonly name = 'FramingError';
}

/** Throws a FramingError for a message longer than MAX_MESSAGE_OCTETS. */
export function encodeMessage(message: Message): Buffer {
  const body = Buffer.from(JSON.stringify(message));
  if (body.length > MAX_MESSAGE_OCTETS) {
    throw new FramingError(`a message of ${body.length} octets is longer than ${MAX_MESSAGE_OCTETS}`);
  }
  const frame = Buffer.allocUnsafe(LENGTH_OCTETS + body.length);
  frame.writeUInt32BE(body.length, 0);
  body.copy(frame, LENGTH_OCTETS);
  return frame;
}

/** Cuts a stream of octets into messages; holds at most one message that is not complete yet. */
export class MessageDecoder {
  #pieces: Buffer[] = [];
  #octets = 0;

  /** The messages that these octets complete, in order. Throws a FramingError. */
  push(piece: Buffer): Message[] {
    this.#pieces.push(piece);
    this.#octets += piece.length;
    const messages: Message[] = [];
    for (;;) {
      if (this.#octets < LENGTH_OCTETS) return messages;
      const length = this.#peekLength();
      if (length > MAX_MESSAGE_OCTETS) {
        throw new FramingError(`a message of ${length} octets was announced, more than ${MAX_MESSAGE_OCTETS}`);
      }
      if (this.#octets < LENGTH_OCTETS + length) return messages;
      const all = this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces);
      messages.push(decodeBody(all.subarray(LENGTH_OCTETS, LENGTH_OCTETS + length)));
      const rest = all.subarray(LENGTH_OCTETS + length);
      this.#pieces = rest.length > 0 ? [rest] : [];
      this.#octets = rest.length;
    }
  }

  #peekLength(): number {
    if (this.#pieces[0]!.length < LENGTH_OCTETS) this.#pieces = [Buffer.concat(this.#pieces)];
    return this.#pieces[0]!.readUInt32BE(0);
  }
}

function decodeBody(body: Buffer): Message {
  let json: unknown;
  try {
    json = JSON.parse(body.toString('utf8'));
  } catch {
    throw new FramingError('a message is no JSON');
  }
  const parsed = messageSchema.safeParse(json);
  if (!parsed.success) throw new FramingError(describeIssues(parsed.error));
  return parsed.data;
}
