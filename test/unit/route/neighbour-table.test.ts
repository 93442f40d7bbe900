import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AddressWords } from '../../../src/core/address.ts';
import {
  type Neighbour,
  NEIGHBOUR_STRIDE,
  NeighbourField,
  NeighbourState,
  NeighbourTable,
} from '../../../src/route/neighbour-table.ts';

const DOMAIN = 3;
const ADDRESS: AddressWords = [0, 0, 0, 0x0a090102];
const OTHER: AddressWords = [0x20010db8, 0, 0, 0x0a090102];
const OWN: AddressWords = [0, 0, 0, 0x0a090101];

function makeTable(): { table: NeighbourTable; events: string[]; neighbour: Neighbour } {
  const events: string[] = [];
  const table = new NeighbourTable({
    ask: (neighbour) => events.push(neighbour.isResolved ? 'confirm' : 'ask'),
    resolved: () => events.push('resolved'),
    giveUp: () => events.push('give up'),
  });
  const neighbour = table.obtain(DOMAIN, ADDRESS, OWN);
  neighbour.users.push({ neighbourChanged: ({ isResolved }) => events.push(isResolved ? 'ready' : 'not ready') });
  return { table, events, neighbour };
}

describe('NeighbourTable', () => {
  it('asks when needed, once a second, three times, and gives up', () => {
    const { table, events, neighbour } = makeTable();
    table.need(neighbour, 0);
    table.need(neighbour, 10);
    for (const ms of [500, 1000, 1500, 2000, 3000]) table.tick(ms);
    assert.deepEqual(events, ['ask', 'ask', 'ask', 'not ready', 'give up']);
    table.need(neighbour, 3500);
    table.need(neighbour, 4000);
    assert.equal(events.at(-1), 'ask', 'the next frame makes it ask again');
  });

  it('confirms what is in use and keeps it meanwhile', () => {
    const { table, events, neighbour } = makeTable();
    table.heard(neighbour, 0x0200, 1, 7, 0);
    assert.deepEqual(events, ['ready', 'resolved']);
    table.tick(29_999);
    table.tick(30_000);
    assert.equal(events.at(-1), 'confirm');
    assert.equal(neighbour.isResolved, true);
    table.heard(neighbour, 0x0200, 1, 7, 30_100);
    table.tick(31_500);
    assert.equal(events.length, 3, 'an answer that changes nothing disturbs nobody');
  });

  it('asks thousands that are due at once in turns, and every one of them', () => {
    const asked = new Map<string, number>();
    const many = new NeighbourTable({
      ask: ({ address }) => asked.set(String(address), (asked.get(String(address)) ?? 0) + 1),
      resolved: () => undefined,
      giveUp: () => undefined,
    });
    for (let address = 0; address < 1000; address++)
      many.need(many.obtain(DOMAIN, [0, 0, 0, address], [0, 0, 0, 1]), 0);
    assert.equal(asked.size, 1000);
    asked.clear();
    const perTick: number[] = [];
    for (let ms = 1000; ms < 2000; ms += 250) {
      const before = asked.size;
      many.tick(ms);
      perTick.push(asked.size - before);
    }
    assert.deepEqual(perTick, [256, 256, 256, 232]);
    assert.ok([...asked.values()].every((times) => times === 1));
  });

  it('tells its users of another MAC', () => {
    const { table, events, neighbour } = makeTable();
    table.heard(neighbour, 0x0200, 1, 7, 0);
    table.heard(neighbour, 0x0200, 2, 7, 100);
    assert.deepEqual(events, ['ready', 'resolved', 'ready', 'resolved']);
    assert.equal(neighbour.macLow, 2);
  });

  it('lets nothing that is heard replace a permanent entry', () => {
    const { table, neighbour } = makeTable();
    table.setPermanent(DOMAIN, ADDRESS, OWN, 0x0200, 9);
    table.heard(neighbour, 0x0200, 1, 7, 0);
    assert.equal(neighbour.macLow, 9);
    table.tick(100_000);
    assert.equal(neighbour.isResolved, true);
    table.removePermanent(DOMAIN, ADDRESS);
    assert.equal(neighbour.isResolved, false);
  });

  it('knows only what somebody asked for, and forgets what nobody uses', () => {
    const { table, neighbour } = makeTable();
    assert.equal(table.find(DOMAIN, 0, 0, 0, 0x0a0901ff), undefined);
    assert.equal(table.find(DOMAIN, ...OTHER), undefined, 'the same last word in the other IP version');
    table.release(neighbour);
    assert.equal(table.find(DOMAIN, ...ADDRESS), neighbour, 'it is in use');
    neighbour.users.length = 0;
    table.release(neighbour);
    assert.equal(table.find(DOMAIN, ...ADDRESS), undefined);
    assert.equal([...table.all()].length, 0);
    const again = table.obtain(DOMAIN, OTHER, OWN);
    assert.deepEqual([...table.all()], [again]);
  });

  it('shows other threads what it knows', () => {
    const { table, neighbour } = makeTable();
    const read = (field: number): number => table.mirror[field]!;
    assert.equal(read(NeighbourField.domain), DOMAIN);
    assert.equal(read(NeighbourField.state), NeighbourState.idle);
    table.heard(neighbour, 0x0200, 5, 7, 12_000);
    assert.deepEqual([...table.mirror.subarray(NeighbourField.address, NeighbourField.address + 4)], ADDRESS);
    assert.equal(read(NeighbourField.state), NeighbourState.reachable);
    assert.equal(read(NeighbourField.macLow), 5);
    assert.equal(read(NeighbourField.confirmed), 12);
    neighbour.users.length = 0;
    table.release(neighbour);
    assert.deepEqual([...table.mirror.subarray(0, NEIGHBOUR_STRIDE)], new Array(NEIGHBOUR_STRIDE).fill(0));
  });
});
