// Port lockdown and the flows of this host against plain models, under random operations.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { AddressWords } from '../../src/core/address.ts';
import { FLOW_SECONDS, HostFlows, NONE } from '../../src/route/host-flows.ts';
import { HostFragments } from '../../src/route/host-fragments.ts';
import { ALL_SERVICES, PortLockdown } from '../../src/route/port-lockdown.ts';
import { packService } from '../../src/wire/service-names.ts';

const protocol = fc.constantFrom(1, 6, 17, 58, 89, 132, 255);
const port = fc.constantFrom(0, 1, 22, 53, 443, 32_768, 65_535);

describe('PortLockdown', () => {
  it('lets in what a list says, whole protocols by port 0', () => {
    const service = fc.tuple(protocol, port);
    fc.assert(
      fc.property(fc.array(service, { maxLength: 20 }), protocol, port, (services, asked, askedPort) => {
        const lockdown = new PortLockdown(services.map(([one, other]) => packService(one, other)));
        const expected = services.some(([one, other]) => one === asked && (other === 0 || other === askedPort));
        assert.equal(lockdown.allows(asked, askedPort), expected);
      }),
    );
  });

  it('lets in everything with all, and nothing with no services', () => {
    fc.assert(
      fc.property(protocol, port, (asked, askedPort) => {
        assert.equal(new PortLockdown(ALL_SERVICES).allows(asked, askedPort), true);
        assert.equal(new PortLockdown([]).allows(asked, askedPort), false);
      }),
    );
  });
});

type Flow = {
  routeDomain: number;
  protocol: number;
  localPort: number;
  remotePort: number;
  local: AddressWords;
  remote: AddressWords;
};

const address: fc.Arbitrary<AddressWords> = fc.constantFrom<AddressWords>(
  [0, 0, 0, 0x0a090101],
  [0, 0, 0, -1],
  [0x20010db8, 0, 0, 1],
  [0x20010db8, 0, 1, 1],
);
const flow: fc.Arbitrary<Flow> = fc.record({
  routeDomain: fc.constantFrom(0, 1, 65_534),
  protocol: fc.constantFrom(1, 6, 17, 132),
  localPort: fc.constantFrom(0, 53, 65_535),
  remotePort: fc.constantFrom(0, 53, 65_535),
  local: address,
  remote: address,
});

function describeFlow(
  flows: HostFlows,
  { routeDomain, protocol: number, localPort, remotePort, local, remote }: Flow,
): void {
  flows.describe(routeDomain, number, localPort, remotePort);
  flows.describeLocal(...local);
  flows.describeRemote(...remote);
}

const FIN = 1;
const SYN = 2;
const RST = 4;
const ACK = 16;

/** Seconds that a flow lives after a packet, by plain rules. */
function lifetime({ protocol: number }: Flow, flags: number, isEnding: boolean): number {
  if (number === 6) return isEnding || (flags & SYN) !== 0 ? FLOW_SECONDS.tcpTransitory : FLOW_SECONDS.tcp;
  if (number === 17) return FLOW_SECONDS.udp;
  return number === 1 ? FLOW_SECONDS.icmp : FLOW_SECONDS.other;
}

describe('HostFlows', () => {
  it('behaves as a Map with times while there is room', () => {
    const packet = fc.record({
      flow,
      fromHost: fc.boolean(),
      flags: fc.constantFrom(0, SYN, SYN | ACK, ACK, FIN | ACK, RST),
      seconds: fc.constantFrom(0, 1, 61, 241, 301, 7441),
    });
    fc.assert(
      fc.property(fc.array(packet, { maxLength: 60 }), (packets) => {
        const flows = new HostFlows(1 << 16);
        const model = new Map<string, { until: number; begunHere: boolean; isEnding: boolean }>();
        let second = 10;
        for (const { flow: one, fromHost, flags: any, seconds } of packets) {
          const flags = one.protocol === 6 ? any : 0;
          second += seconds;
          const key = JSON.stringify(one);
          describeFlow(flows, one);
          const known = model.get(key);
          const isAlive = known !== undefined && known.until >= second;
          assert.equal(flows.find(second) !== NONE, isAlive);
          const at = flows.note(fromHost, flags, second);
          if (!isAlive && fromHost && (flags & RST) !== 0) {
            assert.equal(at, NONE);
            continue;
          }
          const before = isAlive ? known : { begunHere: fromHost, isEnding: false };
          const isEnding = (flags & (FIN | RST)) !== 0 || (before.isEnding && (flags & SYN) === 0);
          model.set(key, { begunHere: before.begunHere, isEnding, until: second + lifetime(one, flags, isEnding) });
          assert.equal(flows.isBegunHere(at), before.begunHere);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('keeps every flow that was begun here, however many come from the network', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 8 }),
        fc.array(fc.nat(0xffff), { minLength: 50, maxLength: 200 }),
        (own, ports) => {
          // One set: all flows meet in it.
          const flows = new HostFlows(8);
          const mine = (index: number): Flow => ({
            ...{ routeDomain: 0, protocol: 6, localPort: 40_000 + index, remotePort: 80 },
            ...{ local: [0, 0, 0, 1], remote: [0, 0, 0, 2] },
          });
          for (let index = 0; index < own; index++) {
            describeFlow(flows, mine(index));
            assert.notEqual(flows.note(true, SYN, 1), NONE);
          }
          for (const remotePort of ports) {
            describeFlow(flows, { ...mine(0), localPort: 22, remotePort });
            flows.note(false, SYN, 2);
          }
          for (let index = 0; index < own; index++) {
            describeFlow(flows, mine(index));
            assert.notEqual(flows.find(3), NONE, `flow ${index} of ${own}`);
          }
        },
      ),
    );
  });

  it('remembers the last hop of each flow', () => {
    const flows = new HostFlows();
    const one: Flow = {
      routeDomain: 7,
      protocol: 17,
      localPort: 53,
      remotePort: 9,
      local: [0, 0, 0, 1],
      remote: [0, 0, 0, 2],
    };
    describeFlow(flows, one);
    const at = flows.note(false, 0, 5);
    assert.equal(flows.lastMember(at), NONE);
    flows.setLastHop(at, 3, 0x0200, -5);
    describeFlow(flows, { ...one, remotePort: 10 });
    flows.setLastHop(flows.note(false, 0, 5), 4, 0x0200, 6);
    describeFlow(flows, one);
    const found = flows.find(6);
    assert.deepEqual([flows.lastMember(found), flows.lastMacHigh(found), flows.lastMacLow(found)], [3, 0x0200, -5]);
    flows.forgetMember(3);
    assert.equal(flows.lastMember(found), NONE);
  });

  it('knows what was connected before, without taking it for begun here', () => {
    const flows = new HostFlows();
    const one: Flow = {
      routeDomain: 0,
      protocol: 6,
      localPort: 22,
      remotePort: 9,
      local: [0, 0, 0, 1],
      remote: [0, 0, 0, 2],
    };
    flows.seed(one, one.local, one.remote, 5);
    describeFlow(flows, one);
    const at = flows.find(5 + FLOW_SECONDS.tcp);
    assert.notEqual(at, NONE);
    assert.equal(flows.isBegunHere(at), false);
    assert.equal(flows.find(6 + FLOW_SECONDS.tcp), NONE);
  });
});

describe('HostFragments', () => {
  it('admits the fragments of a packet whose first was admitted, for a while', () => {
    const word = fc.integer({ min: -0x80000000, max: 0x7fffffff });
    fc.assert(
      fc.property(word, word, word, word, (source, destination, identification, other) => {
        const fragments = new HostFragments();
        assert.equal(fragments.isAdmitted(source, destination, identification, 1), false);
        fragments.admit(source, destination, identification, 1);
        assert.equal(fragments.isAdmitted(source, destination, identification, 31), true);
        assert.equal(fragments.isAdmitted(source, destination, identification, 32), false);
        if (other !== identification) assert.equal(fragments.isAdmitted(source, destination, other, 1), false);
      }),
    );
  });
});
