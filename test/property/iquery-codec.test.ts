// The wire format of the mesh: any messages that are written are read back, wherever the stream is cut; no octets make the reader
// throw anything but a reason.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { DOCUMENT_END, writeMessage } from '../../src/iquery/message-writer.ts';
import { anyMessage, hear, octetByOctet, OFFER, OPENED } from '../support/iquery-messages.ts';

/** After `compress` something else follows; another `offer` says another version. */
const inStream = anyMessage.filter(({ message }) => !['compress', 'offer', 'subscribe'].includes(message));

it('messages come back as they were', () => {
  fc.assert(
    fc.property(fc.array(anyMessage, { maxLength: 5 }), (messages) => {
      for (const message of messages) {
        const heard = hear([Buffer.from(OPENED + writeMessage(message))]);
        assert.equal(heard.error, undefined);
        assert.deepEqual(heard.messages, [OFFER, message]);
      }
    }),
    { numRuns: 1000 },
  );
});

it('it does not matter where the stream is cut', () => {
  fc.assert(
    fc.property(fc.array(inStream, { maxLength: 6 }), fc.array(fc.nat(3000), { maxLength: 8 }), (messages, cuts) => {
      const octets = Buffer.from(OPENED + messages.map((message) => writeMessage(message)).join('') + DOCUMENT_END);
      const places = [0, ...cuts.map((cut) => cut % (octets.length + 1)).sort((a, b) => a - b), octets.length];
      const pieces = places.slice(1).map((place, index) => octets.subarray(places[index], place));
      const whole = hear([octets]);
      assert.deepEqual(whole.messages, [OFFER, ...messages]);
      assert.equal(whole.error, undefined);
      assert.deepEqual(hear(pieces), whole);
      assert.deepEqual(hear(octetByOctet(octets)), whole);
    }),
    { numRuns: 500 },
  );
});

it('of a stream that is damaged the same is heard, cut or not', () => {
  fc.assert(
    fc.property(
      fc.array(inStream, { minLength: 1, maxLength: 4 }),
      fc.array(fc.tuple(fc.nat(5000), fc.oneof(fc.nat(255), fc.constantFrom(...Buffer.from('<>&;/!?-"=\r')))), {
        maxLength: 4,
      }),
      (messages, changes) => {
        const octets = Buffer.from(OPENED + messages.map((message) => writeMessage(message)).join(''));
        for (const [at, octet] of changes) octets[OPENED.length + (at % (octets.length - OPENED.length))] = octet;
        assert.deepEqual(hear(octetByOctet(octets)), hear([octets]));
      },
    ),
    { numRuns: 2000 },
  );
});

it('any octets are read, skipped or refused', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 5 }), (pieces) => {
      hear(pieces);
      hear([Buffer.from(OPENED), ...pieces]);
    }),
    { numRuns: 3000 },
  );
});
