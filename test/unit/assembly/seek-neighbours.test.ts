// Somebody wants to know where a neighbour is: all stations of its domain are asked, also when it is known, and where it answers from is
// what the table then says.
//
//   station ─ port 0 ─┐
//                     ├─ domain: 10.1.0.1/24
//   station ─ port 1 ─┘

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { NEIGHBOUR_STRIDE, NeighbourField, NeighbourState } from '../../../src/route/neighbour-table.ts';
import { mac, Rig, words } from '../../support/dataplane-rig.ts';
import { arp, ethernet } from '../../support/frames.ts';

const [MAC, STATION] = ['02:00:00:00:00:0a', '02:11:00:00:00:0a'];
const [SELF, NEAR] = ['10.1.0.1', '10.1.0.10'];
const REQUEST = ethernet('ff:ff:ff:ff:ff:ff', MAC, 0x0806, arp(1, MAC, SELF, '00:00:00:00:00:00', NEAR));
const ANSWER = ethernet(MAC, STATION, 0x0806, arp(2, STATION, NEAR, MAC, SELF));

function makeRig(): Rig {
  const rig = new Rig();
  for (const port of [0, 1]) rig.addPort(port);
  rig.apply(
    { op: 'set-domain', spec: { id: 1, name: 'a', localMember: 10, mac: mac(MAC) } },
    rig.interfaceMember(0, 1, 0),
    rig.interfaceMember(1, 1, 1),
    { op: 'set-self', spec: { name: SELF, domain: 1, words: words(SELF), isIpv6: false, prefixBits: 24 } },
  );
  rig.advance(1000);
  for (const port of [0, 1]) rig.received(port);
  return rig;
}

const seek = (rig: Rig): void => rig.apply({ op: 'seek-neighbours', places: [{ domain: 1, address: words(NEAR) }] });
/** Requests that have left by each port since. */
function asked(rig: Rig): number[] {
  rig.advance(1);
  return [0, 1].map((port) => rig.received(port).filter((frame) => Buffer.from(frame).equals(REQUEST)).length);
}
/** The member of the neighbour that is known; undefined: none is. */
function memberOf(rig: Rig): number | undefined {
  const mirror = new Int32Array(rig.dataplane.neighbourMirror);
  for (let at = 0; at < mirror.length; at += NEIGHBOUR_STRIDE) {
    if (mirror[at] === 1 && mirror[at + NeighbourField.state] === NeighbourState.reachable) {
      return mirror[at + NeighbourField.member];
    }
  }
  return undefined;
}
const rowsOf = (rig: Rig): number =>
  new Int32Array(rig.dataplane.neighbourMirror).filter((word, index) => index % NEIGHBOUR_STRIDE === 0 && word !== 0)
    .length;

it('all are asked each time, and it is where it answered last', () => {
  const rig = makeRig();
  seek(rig);
  assert.deepEqual(asked(rig), [1, 1]);
  rig.send(0, ANSWER);
  rig.advance(1);
  assert.equal(memberOf(rig), 0);
  seek(rig);
  assert.deepEqual(asked(rig), [0, 0], 'a second has to go by');
  rig.advance(1000);
  asked(rig);
  seek(rig);
  assert.deepEqual(asked(rig), [1, 1], 'it may have moved without a word');
  rig.send(1, ANSWER);
  rig.advance(500);
  assert.equal(memberOf(rig), 1);
});

it('whom nobody looks for any more is forgotten', () => {
  const rig = makeRig();
  seek(rig);
  rig.send(0, ANSWER);
  rig.advance(1);
  assert.equal(rowsOf(rig), 1);
  for (let seconds = 0; seconds < 62; seconds++) rig.advance(1000);
  assert.equal(rowsOf(rig), 0);
});
