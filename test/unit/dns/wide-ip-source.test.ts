// Where wide IPs stand in the order of sources, whatever they are made of.

import assert from 'node:assert/strict';
import * as packet from 'dns-packet';
import { describe, it } from 'node:test';
import { answerSources } from '../../../src/dns/answer-sources.ts';
import { Outcome } from '../../../src/dns/outcome.ts';
import { FORWARD, Responder } from '../../../src/dns/responder.ts';
import type { ResponderOptions } from '../../../src/dns/responder-options.ts';
import type { Sender } from '../../../src/dns/sender.ts';
import { type WideIpSource, WideIpVerdict } from '../../../src/dns/wide-ip-source.ts';
import { buildZoneTable } from '../../../src/dns/zone-builder.ts';
import { ZoneSet } from '../../../src/dns/zone-set.ts';
import { linesOf, queryOf, zoneOf } from '../../support/dns.ts';

const ZONES = new ZoneSet([
  buildZoneTable(
    zoneOf('example.com', [
      {
        type: 'SOA',
        name: 'example.com',
        ttl: 60,
        data: {
          mname: 'ns.example.com',
          rname: 'h.example.com',
          serial: 1,
          refresh: 1,
          retry: 1,
          expire: 1,
          minimum: 9,
        },
      },
      { type: 'NS', name: 'example.com', ttl: 60, data: 'ns.example.com' },
      { type: 'A', name: 'www.example.com', ttl: 60, data: '192.0.2.1' },
    ]),
  ),
]);
const NONE = new ZoneSet([]);
const SENDER: Sender = {
  ...{ addresses: Uint8Array.from([192, 0, 2, 99]), addressAt: 0, addressOctets: 4 },
  ...{ isStream: false, now: 1_600_000_000 },
};
/** 198.51.100.7 for 30 seconds, behind a pointer to the question. */
const RECORD = Uint8Array.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, 198, 51, 100, 7]);

/** A wide IP that says the same to everything. */
function saying(verdict: WideIpVerdict, more: { wantsAuthority?: boolean; scopeBits?: number } = {}): WideIpSource {
  return {
    found: 0,
    answer(query, reply, means, sender) {
      return this.answerBy(0, query, reply, means, sender);
    },
    answerBy(_wideIp, _query, reply) {
      if (verdict !== WideIpVerdict.answered) return verdict;
      reply.tail = RECORD;
      reply.tailOctets = RECORD.length;
      reply.answers = 1;
      reply.isAuthoritative = true;
      reply.wantsAuthority = more.wantsAuthority ?? false;
      reply.scopeBits = more.scopeBits ?? 0;
      return verdict;
    },
  };
}

function ask(
  wideIps: WideIpSource,
  {
    name = 'www.example.com',
    zones = ZONES,
    message = queryOf({ name, type: 'A' }),
    ...options
  }: Partial<ResponderOptions> & { name?: string; zones?: ZoneSet; message?: Uint8Array },
): { lines: string[] | undefined; end: number; responder: Responder; octets: Uint8Array } {
  const responder = new Responder(answerSources(zones, wideIps), { unhandled: 'allow', udpOctets: 1232, ...options });
  const octets = new Uint8Array(4096);
  octets.set(message);
  const end = responder.respond(octets, 0, message.length, SENDER);
  return {
    lines: end > 0 ? linesOf(octets.slice(0, end)) : undefined,
    end,
    responder,
    octets: octets.slice(0, Math.max(0, end)),
  };
}

describe('wide IPs in front of zones', () => {
  it('answer before a zone that has the name as well', () => {
    const { lines, responder } = ask(saying(WideIpVerdict.answered), {});
    assert.deepEqual(lines, ['NOERROR aa', 'an www.example.com 30 A 198.51.100.7']);
    assert.equal(responder.counts[Outcome.wideIp], 1);
  });

  it('are not asked where the profile says so, nor for recursion that is not processed', () => {
    const zone = ask(saying(WideIpVerdict.none), {}).lines;
    assert.deepEqual(ask(saying(WideIpVerdict.answered), { asksWideIps: false }).lines, zone);
    const message = packet.encode({
      type: 'query',
      flags: packet.RECURSION_DESIRED,
      questions: [{ type: 'A', name: 'www.example.com' }],
    });
    assert.match(ask(saying(WideIpVerdict.answered), { processRd: false, message }).lines![0]!, /^NXDOMAIN/);
  });

  it('may say that there be no reply', () => {
    const { end, responder } = ask(saying(WideIpVerdict.dropped), {});
    assert.equal(end, 0);
    assert.equal(responder.counts[Outcome.wideIpDropped], 1);
  });

  it('make a name exist that they leave to others', () => {
    const passed = saying(WideIpVerdict.passed);
    // The zone has it.
    assert.match(ask(passed, {}).lines![1]!, /192\.0\.2\.1$/);
    // The zone says that there is no such name, with its SOA, which stays.
    const [absent, ...authority] = ask(saying(WideIpVerdict.none), { name: 'w.example.com' }).lines!;
    assert.match(absent!, /^NXDOMAIN/);
    assert.deepEqual(ask(passed, { name: 'w.example.com' }).lines, ['NOERROR aa', ...authority]);
    // No zone has it, and the action does not get it: it would say that there is no such name.
    assert.deepEqual(ask(passed, { zones: NONE }).lines, ['NOERROR aa']);
    assert.equal(ask(passed, { zones: NONE, hasBackend: true }).end, FORWARD);
    assert.match(ask(saying(WideIpVerdict.none), { zones: NONE }).lines![0]!, /^NXDOMAIN/);
  });

  it('are followed by the name servers of the zone when that is wanted', () => {
    const lines = ask(saying(WideIpVerdict.answered, { wantsAuthority: true }), {}).lines;
    assert.deepEqual(lines, [
      'NOERROR aa',
      'an www.example.com 30 A 198.51.100.7',
      'ns example.com 60 NS ns.example.com',
    ]);
    assert.equal(ask(saying(WideIpVerdict.answered, { wantsAuthority: true }), { zones: NONE }).lines!.length, 2);
  });

  it('say for which clients the answer holds', () => {
    const options = [
      { code: 'CLIENT_SUBNET', family: 1, sourcePrefixLength: 24, scopePrefixLength: 0, ip: '203.0.113.0' },
    ];
    const message = packet.encode({
      type: 'query',
      questions: [{ type: 'A', name: 'www.example.com' }],
      additionals: [{ type: 'OPT', name: '.', udpPayloadSize: 1232, flags: 0, options } as unknown as packet.OptAnswer],
    });
    const scopeOf = (wideIps: WideIpSource): unknown => {
      const reply = packet.decode(Buffer.from(ask(wideIps, { message }).octets));
      const [opt] = reply.additionals as unknown as { options: { scopePrefixLength: number }[] }[];
      return opt!.options[0]!.scopePrefixLength;
    };
    assert.equal(scopeOf(saying(WideIpVerdict.answered, { scopeBits: 24 })), 24);
    assert.equal(scopeOf(saying(WideIpVerdict.none)), 0);
  });
});
