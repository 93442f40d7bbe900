import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FrameOutcome, FrameReplier, type MessageResponder } from '../../../src/dns/frame-reply.ts';
import { Random } from '../../fuzz/mutator.ts';
import { ethernet, ipv4Packet, ipv6Packet, udp } from '../../support/frames.ts';
import { FILLER } from '../../support/octets.ts';

const SERVER = '02:00:00:00:00:01';
const CLIENT = '02:00:00:00:00:02';
const QUESTION = Buffer.from('a question');
const ANSWER = Buffer.from('an answer that is longer');
/** 2 modulo 4. */
const START = 66;

const ipv4 = ethernet(
  SERVER,
  CLIENT,
  0x0800,
  ipv4Packet({ source: '192.0.2.2', destination: '192.0.2.1', protocol: 17 }, udp(4000, 53, QUESTION)),
);
const ipv6 = ethernet(
  SERVER,
  CLIENT,
  0x86dd,
  ipv6Packet({ source: '2001:db8::2', destination: '2001:db8::1', nextHeader: 17 }, udp(4000, 53, QUESTION), 6),
);

const answering: MessageResponder = {
  messageSum: -1,
  respond: (octets, start, end) => {
    assert.equal(Buffer.from(octets.subarray(start, end)).toString(), QUESTION.toString());
    octets.set(ANSWER, start);
    return start + ANSWER.length;
  },
};

function replierOf(responder: MessageResponder, frame: Uint8Array): { replier: FrameReplier; bytes: Uint8Array } {
  const memory = new ArrayBuffer(2048);
  const bytes = new Uint8Array(memory).fill(FILLER);
  bytes.set(frame, START);
  return {
    replier: new FrameReplier(responder, bytes, new Int32Array(memory)),
    bytes,
  };
}

describe('a frame with a question', () => {
  it('becomes the frame with the reply', () => {
    for (const [question, reply] of [
      [
        ipv4,
        ethernet(
          CLIENT,
          SERVER,
          0x0800,
          ipv4Packet(
            {
              source: '192.0.2.1',
              destination: '192.0.2.2',
              protocol: 17,
              identification: 1,
              flags: 0,
            },
            udp(53, 4000, ANSWER),
          ),
        ),
      ],
      [
        ipv6,
        ethernet(
          CLIENT,
          SERVER,
          0x86dd,
          ipv6Packet(
            {
              source: '2001:db8::1',
              destination: '2001:db8::2',
              nextHeader: 17,
            },
            udp(53, 4000, ANSWER),
            6,
          ),
        ),
      ],
    ] as const) {
      const { replier, bytes } = replierOf(answering, question);
      const end = replier.reply(START, START + question.length, true);
      const got = Buffer.from(bytes.subarray(START, end));
      // The UDP checksum over IPv4 is what the client's kernel looks at (test/conformance/dns-ring.test.ts).
      if (question === ipv4) got.writeUInt16BE(0, 40);
      assert.equal(got.toString('hex'), reply.toString('hex'));
      assert.equal(replier.counts[FrameOutcome.answered], 1);
    }
  });

  it('is left as it was for somebody else, who is told where to find it', () => {
    for (const frame of [ipv4, ipv6]) {
      const { replier, bytes } = replierOf({ messageSum: -1, respond: () => -1 }, frame);
      assert.equal(replier.reply(START, START + frame.length, true), -1);
      assert.deepEqual(Buffer.from(bytes.subarray(START, START + frame.length)), frame);
      const { messageStart, messageEnd, senderPort, sender } = replier;
      assert.equal(Buffer.from(bytes.subarray(messageStart, messageEnd)).toString(), QUESTION.toString());
      assert.equal(senderPort, 4000);
      assert.equal(bytes[sender.addressAt + sender.addressOctets - 1], 2);
      assert.equal(replier.counts[FrameOutcome.forwarded], 1);
    }
  });

  it('of any octets is read within them, and is in the books', () => {
    const random = new Random(20_261_130);
    const FRAMES = 50_000;
    let answered = 0;
    const { replier, bytes } = replierOf(
      { messageSum: -1, respond: (_octets, start) => (answered++, start + 5) },
      ipv4,
    );
    for (let index = 0; index < FRAMES; index++) {
      const frame = random.chance(50) ? ipv4 : ipv6;
      const octets = random.chance(30) ? random.below(frame.length + 1) : frame.length;
      bytes.fill(FILLER);
      bytes.set(frame.subarray(0, octets), START);
      for (let change = random.below(4); change > 0; change--) {
        bytes[START + random.below(octets + 1)] = random.below(256);
      }
      const end = replier.reply(START, START + octets, random.chance(50));
      assert.ok(end >= START && end <= START + frame.length, `frame ${index}`);
      assert.ok(bytes.subarray(0, START).every((octet) => octet === FILLER));
      assert.ok(bytes.subarray(START + frame.length + 1).every((octet) => octet === FILLER));
    }
    assert.equal(
      replier.counts.reduce((sum, count) => sum + count, 0),
      FRAMES,
    );
    assert.equal(replier.counts[FrameOutcome.answered], answered);
    for (const outcome of ['answered', 'headerInvalid', 'checksumInvalid', 'sourceInvalid'] as const) {
      assert.ok(replier.counts[FrameOutcome[outcome]]! > 100, outcome);
    }
  });
});
