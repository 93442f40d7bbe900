// What counts as an answer to an echo request, and what does not; the raw socket is played.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseAddress } from '../../../src/core/address.ts';
import type { ProbeOutcome } from '../../../src/health/probe.ts';
import { readIcmpMessage } from '../../../src/probe/icmp-message.ts';
import { IcmpProber } from '../../../src/probe/icmp-prober.ts';
import { MAX_PROBES, type ProbeTarget, type SendFailure } from '../../../src/probe/packet-probes.ts';
import type { IcmpListener, IcmpWire } from '../../../src/probe/raw-icmp.ts';
import { naiveChecksum } from '../../support/naive-checksum.ts';
import { errorAbout, ipv4Packet, octetsOf, replyTo, withChecksum } from '../../support/probe-packets.ts';

const HOST = '192.0.2.1';
const TARGET = '192.0.2.2';
const ROUTER = '192.0.2.254';
const TARGET6 = '2001:db8::2';

const targetOf = (address: string): ProbeTarget => {
  const { family, words } = parseAddress(address)!;
  return { family, address, words, port: 0, mark: 0 };
};

class PlayedWire implements IcmpWire {
  readonly sent: { packet: Buffer; address: string }[] = [];
  /** For the next packets, in turn. */
  readonly failures: (SendFailure | undefined)[] = [];
  #listener: IcmpListener | undefined;

  listen(listener: IcmpListener): void {
    this.#listener = listener;
  }

  open(): undefined {
    return undefined;
  }

  send(_family: 4 | 6, packet: Buffer, octets: number, address: string): SendFailure | undefined {
    const failure = this.failures.shift();
    if (failure === undefined) this.sent.push({ packet: Buffer.from(packet.subarray(0, octets)), address });
    return failure;
  }

  /** As the kernel hands over what has come. */
  receive(packet: Uint8Array, family: 4 | 6, source: string): void {
    if (readIcmpMessage(packet, packet.length, family)) this.#listener?.(packet, packet.length, family, source);
  }

  receive4(icmp: Uint8Array, source = TARGET): void {
    this.receive(ipv4Packet(source, HOST, 1, icmp), 4, source);
  }
}

const ONCE = { count: 1, apart: 1000, timeout: 60 };

describe('echo requests', () => {
  let wire: PlayedWire;
  let prober: IcmpProber;
  beforeEach(() => {
    wire = new PlayedWire();
    prober = new IcmpProber(wire);
  });
  afterEach(() => prober.close());

  const start = (address = TARGET, attempts = ONCE) => {
    const outcomes: ProbeOutcome[] = [];
    const cancel = prober.probe(targetOf(address), attempts, (outcome) => outcomes.push(outcome));
    assert.ok(cancel !== undefined);
    return { outcomes, cancel, over: Promise.resolve() };
  };
  /** Starts one, and waits until its packet is there. */
  const startSent = async (address = TARGET, attempts = ONCE) => {
    const probe = start(address, attempts);
    await sleep(0);
    await sleep(0);
    const { packet } = wire.sent.at(-1)!;
    return { ...probe, packet };
  };

  it('are whole, and answered by their reply', async () => {
    const { outcomes, packet } = await startSent();
    assert.equal(naiveChecksum(packet), 0);
    assert.equal(wire.sent[0]!.address, TARGET);
    wire.receive4(replyTo(packet));
    assert.equal(outcomes.length, 1);
    const [{ verdict, took, received }] = outcomes as [ProbeOutcome];
    assert.equal(verdict, 'up');
    assert.equal(received, 'ICMP echo reply');
    assert.ok(took >= 0 && took < 1000);
    wire.receive4(replyTo(packet));
    assert.equal(outcomes.length, 1);
  });

  it('have a checksum that is right for every slot and number', async () => {
    for (let index = 0; index < 3000; index++) start();
    while (wire.sent.length < 3000) await sleep(1);
    for (const { packet } of wire.sent) assert.equal(naiveChecksum(packet), 0);
    assert.equal(new Set(wire.sent.map(({ packet }) => packet.readUInt16BE(6))).size, 3000);
    assert.equal(new Set(wire.sent.map(({ packet }) => packet.toString('hex', 16))).size, 3000);
  });

  const FORGED: Record<string, (request: Buffer) => [Uint8Array, string?]> = {
    'from somebody else': (request) => [replyTo(request), ROUTER],
    'of another process': (request) => [
      replyTo(octetsOf(request.subarray(0, 4), [request[4]! ^ 1], request.subarray(5))),
    ],
    'with another sequence number': (request) => [
      replyTo(octetsOf(request.subarray(0, 7), [request[7]! ^ 1], request.subarray(8))),
    ],
    'without the number of the process': (request) => [
      replyTo(octetsOf(request.subarray(0, 8), new Uint8Array(8), request.subarray(16))),
    ],
    'with another number of the probe': (request) => [
      replyTo(octetsOf(request.subarray(0, 19), [request[19]! ^ 0x80], request.subarray(20))),
    ],
    'cut off': (request) => [replyTo(request.subarray(0, 16))],
    'with a wrong checksum': (request) => {
      const reply = replyTo(request);
      reply[2]! ^= 1;
      return [reply];
    },
    'that is the request itself': (request) => [request],
    'with a code': (request) => {
      const reply = replyTo(request);
      reply[1] = 1;
      return [withChecksum(reply)];
    },
  };
  for (const [how, forge] of Object.entries(FORGED)) {
    it(`take no reply ${how}`, async () => {
      const { outcomes, packet } = await startSent();
      const [icmp, source] = forge(packet);
      wire.receive4(icmp, source);
      await sleep(150);
      assert.deepEqual(
        outcomes.map(({ verdict, reason }) => `${verdict}: ${reason}`),
        ['silent: no answer'],
      );
    });
  }

  it('over IPv6 are answered by their reply, in whatever form its sender is written', async () => {
    for (const source of [TARGET6, '2001:db8:0:0::0002']) {
      const { outcomes, packet } = await startSent(TARGET6);
      assert.equal(packet[0], 128);
      wire.receive(replyTo(packet, 129), 6, '2001:db8::3');
      wire.receive(replyTo(packet, 129), 4, TARGET);
      wire.receive(replyTo(packet, 0), 6, source);
      assert.equal(outcomes.length, 0);
      wire.receive(replyTo(packet, 129), 6, source);
      assert.deepEqual(
        outcomes.map(({ verdict }) => verdict),
        ['up'],
      );
    }
  });

  it('are repeated as often as they may be, and a late answer to the first counts', async () => {
    const { outcomes, packet } = await startSent(TARGET, { count: 3, apart: 100, timeout: 100 });
    await sleep(250);
    assert.equal(wire.sent.length, 3);
    for (const sent of wire.sent) assert.deepEqual(sent.packet, packet);
    wire.receive4(replyTo(packet));
    assert.equal(outcomes[0]!.verdict, 'up');
    assert.ok(outcomes[0]!.took >= 200, `counted from the first: ${outcomes[0]!.took} ms`);
    await sleep(200);
    assert.equal(wire.sent.length, 3);
    assert.equal(outcomes.length, 1);
  });

  it('are given up a time after the last', async () => {
    const { outcomes } = await startSent(TARGET, { count: 2, apart: 100, timeout: 150 });
    await sleep(210);
    assert.equal(outcomes.length, 0);
    await sleep(300);
    assert.equal(outcomes[0]!.reason, 'no answer to 2 packets');
    assert.ok(outcomes[0]!.took >= 250);
  });

  it('are nobody’s any more when they are cancelled, also before they are sent, and the slot is used again', async () => {
    const { outcomes, packet, cancel } = await startSent();
    cancel();
    wire.receive4(replyTo(packet));
    const waiting = start();
    waiting.cancel();
    await sleep(150);
    assert.equal(wire.sent.length, 1);
    assert.deepEqual([outcomes, waiting.outcomes], [[], []]);
    // A second call must not end whoever has the slot by then.
    const probes = Array.from({ length: MAX_PROBES }, () => start());
    assert.equal(
      prober.probe(targetOf(TARGET), ONCE, () => undefined),
      undefined,
    );
    cancel();
    waiting.cancel();
    while (wire.sent.length < MAX_PROBES + 1) await sleep(1);
    const late = performance.now() + 5000;
    while (probes.some((probe) => probe.outcomes.length !== 1) && performance.now() < late) await sleep(10);
    assert.ok(probes.every((probe) => probe.outcomes.length === 1));
  });

  const quote = (packet: Uint8Array, octets = 1000): Uint8Array =>
    ipv4Packet(HOST, TARGET, 1, packet).subarray(0, 20 + octets);
  const ERRORS = [
    { type: 3, code: 1, from: ROUTER, outcome: `silent: host unreachable, says ${ROUTER}` },
    { type: 3, code: 1, from: HOST, outcome: `silent: host unreachable, says this host (${HOST})` },
    { type: 3, code: 13, from: TARGET, outcome: `silent: prohibited by a packet filter, says ${TARGET}` },
    { type: 3, code: 3, from: TARGET, outcome: 'refused: port unreachable' },
    { type: 3, code: 2, from: TARGET, outcome: 'refused: protocol unreachable' },
    { type: 3, code: 3, from: ROUTER, outcome: `silent: port unreachable, says ${ROUTER}` },
    { type: 11, code: 0, from: ROUTER, outcome: `silent: time to live exceeded, says ${ROUTER}` },
    // No more than eight octets are quoted: not enough to believe in a refusal.
    { type: 3, code: 2, from: TARGET, octets: 8, outcome: `silent: protocol unreachable, says ${TARGET}` },
    { type: 3, code: 1, from: ROUTER, octets: 8, outcome: `silent: host unreachable, says ${ROUTER}` },
    { type: 3, code: 3, from: TARGET, octets: 7, outcome: 'silent: no answer' },
    { type: 5, code: 1, from: ROUTER, outcome: 'silent: no answer' },
  ];
  for (const { type, code, from, octets, outcome } of ERRORS) {
    it(`about which ICMP ${type}/${code} from ${from} comes${octets === undefined ? '' : `, quoting ${octets}`}`, async () => {
      const { outcomes, packet } = await startSent();
      wire.receive4(errorAbout(quote(packet, octets), type, code), from);
      await sleep(150);
      assert.deepEqual(
        outcomes.map(({ verdict, reason }) => `${verdict}: ${reason}`),
        [outcome],
      );
    });
  }

  it('are not refused by an error about a packet that was not sent', async () => {
    const { outcomes, packet } = await startSent();
    const other = Uint8Array.from(packet);
    other[19]! ^= 1;
    wire.receive4(errorAbout(quote(other), 3, 3));
    wire.receive4(errorAbout(ipv4Packet(HOST, ROUTER, 1, packet), 3, 3));
    wire.receive4(errorAbout(ipv4Packet(HOST, TARGET, 17, packet), 3, 3));
    await sleep(150);
    assert.equal(outcomes[0]!.reason, 'no answer');
  });

  it('that cannot be sent say so, at once after the last one', async () => {
    const impossible: SendFailure = { verdict: 'impossible', reason: 'no room' };
    wire.failures.push(impossible, impossible);
    const { outcomes } = start(TARGET, { count: 2, apart: 50, timeout: 60_000 });
    await sleep(250);
    assert.deepEqual(
      outcomes.map(({ verdict, reason }) => `${verdict}: ${reason}`),
      ['impossible: no room'],
    );
    wire.failures.push(impossible);
    const second = start(TARGET, { count: 2, apart: 50, timeout: 100 });
    await sleep(350);
    assert.equal(wire.sent.length, 1);
    assert.equal(second.outcomes[0]!.reason, 'no answer');
  });

  it('that were answered as fast share one outcome', async () => {
    const seen = new Set<ProbeOutcome>();
    for (let index = 0; index < 200; index++) {
      const { outcomes, packet } = await startSent();
      wire.receive4(replyTo(packet));
      seen.add(outcomes[0]!);
    }
    assert.ok(seen.size < 100, `${seen.size} outcomes`);
  });
});
