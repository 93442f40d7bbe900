import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  CALM_SECONDS,
  FLOODS_PER_SECOND,
  LoopGuard,
  MAX_EPISODES,
  MAX_MOVES,
  readEpisodes,
} from '../../../src/bridge/loop-guard.ts';
import { loopsOf, LoopReporter } from '../../../src/assembly/dataplaned/loop-reporter.ts';
import { Planner } from '../../../src/assembly/dataplaned/planner.ts';
import { emptyConfiguration } from '../../../src/config/configuration.ts';
import { loadText } from '../../../src/config/load-text.ts';
import { viewOf } from '../../../src/assembly/dataplaned/config-view.ts';
import { buildModel } from '../../../src/assembly/dataplaned/build-model.ts';
import type { Log } from '../../../src/core/log.ts';
import { imbalance } from '../../../src/pipeline/books.ts';
import { Id, mac, Rig } from '../../support/dataplane-rig.ts';
import { hostFrame } from '../../support/frames.ts';

const DOMAIN = 2;
const [MAC_HIGH, MAC_LOW] = [0x02aa, 1];
const EVERYBODY = 'ff:ff:ff:ff:ff:ff';
const HOST_A = '02:aa:00:00:00:01';

/** Moves of a MAC between two members within a second. */
function flap(guard: LoopGuard, moves: number, second: number, members: readonly [number, number] = [5, 6]): void {
  for (let move = 0; move < moves; move++) {
    guard.moved(DOMAIN, MAC_HIGH, MAC_LOW, members[move % 2]!, members[(move + 1) % 2]!, second);
  }
}

const admitted = (guard: LoopGuard, floods: number, second: number): number => {
  let count = 0;
  for (let flood = 0; flood < floods; flood++) if (guard.admits(6, 5, second)) count += 1;
  return count;
};

describe('the loop guard', () => {
  it('lets a MAC move as often as it may, second by second', () => {
    const guard = new LoopGuard();
    for (let second = 0; second < 20; second++) flap(guard, MAX_MOVES, second);
    assert.equal(guard.active, 0);
    assert.equal(admitted(guard, 1000, 20), 1000);
  });

  it('limits flooding between the two members, and only there', () => {
    const guard = new LoopGuard();
    flap(guard, MAX_MOVES + 1, 7);
    assert.equal(guard.active, 1);
    assert.equal(admitted(guard, 1000, 7), FLOODS_PER_SECOND);
    assert.equal(admitted(guard, 1000, 8), FLOODS_PER_SECOND);
    for (let flood = 0; flood < 1000; flood++) assert.ok(guard.admits(5, 7, 8));
    const [episode] = readEpisodes(guard.episodes.buffer);
    assert.deepEqual(episode, {
      serial: 1,
      isActive: true,
      members: [5, 6],
      domain: DOMAIN,
      macHigh: MAC_HIGH,
      macLow: MAC_LOW,
      moves: MAX_MOVES + 1,
      drops: 2 * (1000 - FLOODS_PER_SECOND),
    });
  });

  it('ends when it has been calm, and begins anew as another episode', () => {
    const guard = new LoopGuard();
    flap(guard, MAX_MOVES + 1, 0);
    guard.tick(CALM_SECONDS);
    assert.equal(guard.active, 1);
    // What it had to hold back is a sign that the loop is still there.
    admitted(guard, FLOODS_PER_SECOND + 1, CALM_SECONDS);
    guard.tick(2 * CALM_SECONDS);
    assert.equal(guard.active, 1);
    admitted(guard, FLOODS_PER_SECOND, 2 * CALM_SECONDS);
    guard.tick(2 * CALM_SECONDS + 1);
    assert.equal(guard.active, 0);
    assert.equal(admitted(guard, 1000, 2 * CALM_SECONDS + 1), 1000);
    flap(guard, MAX_MOVES + 1, 100);
    assert.deepEqual(
      readEpisodes(guard.episodes.buffer).map(({ serial, isActive }) => [serial, isActive]),
      [
        [1, false],
        [2, true],
      ],
    );
  });

  it('is one episode however many MACs move between the two', () => {
    const guard = new LoopGuard();
    for (let low = 0; low < 100; low++) {
      for (let move = 0; move < 20; move++) guard.moved(DOMAIN, MAC_HIGH, low, 5 + (move % 2), 6 - (move % 2), 3);
    }
    assert.equal(readEpisodes(guard.episodes.buffer).length, 1);
  });

  it('forgets a member that goes away', () => {
    const guard = new LoopGuard();
    flap(guard, MAX_MOVES + 1, 0);
    guard.forgetMember(6);
    assert.equal(guard.active, 0);
    assert.equal(admitted(guard, 1000, 0), 1000);
  });

  it('guards as many pairs as it has places for, and takes those that ended', () => {
    const guard = new LoopGuard();
    for (let pair = 0; pair < MAX_EPISODES + 5; pair++) {
      for (let move = 0; move <= MAX_MOVES; move++) {
        guard.moved(DOMAIN, MAC_HIGH, MAC_LOW, 2 * pair + (move % 2), 2 * pair + 1 - (move % 2), pair);
      }
    }
    assert.equal(guard.active, MAX_EPISODES);
    guard.tick(MAX_EPISODES + CALM_SECONDS + 10);
    flap(guard, MAX_MOVES + 1, 1000);
    assert.equal(readEpisodes(guard.episodes.buffer).at(-1)?.serial, MAX_EPISODES + 1);
  });
});

describe('a loop behind two members', () => {
  it('is let through now and then, the rest is dropped by name and the books balance', () => {
    const rig = new Rig();
    for (const port of [1, 3, 4]) rig.addPort(port);
    rig.apply(
      { op: 'set-domain', spec: { id: Id.bridgeDomain, name: 'lan', localMember: 11, mac: undefined } },
      rig.interfaceMember(Id.insideMember, Id.bridgeDomain, 1),
      rig.interfaceMember(Id.firstFree, Id.bridgeDomain, 3),
      rig.interfaceMember(Id.firstFree + 1, Id.bridgeDomain, 4),
    );
    // What leaves by one of the two comes back by the other, as through a bridge without spanning tree.
    let rounds = 0;
    let toBystander = 0;
    rig.send(4, hostFrame(EVERYBODY, HOST_A));
    for (; rounds < 1000; rounds++) {
      const circling: [number, Buffer][] = rig.received(3).map((frame) => [1, frame]);
      for (const frame of rig.received(1)) circling.push([3, frame]);
      toBystander += rig.received(4).length;
      if (circling.length === 0) break;
      for (const [port, frame] of circling) rig.send(port, frame);
    }
    assert.ok(rounds < 100, `it went round ${rounds} times`);
    assert.ok(toBystander < 100, `the bystander got ${toBystander} copies`);
    assert.deepEqual(Object.keys(rig.drops()), ['loop-guard']);
    assert.equal(imbalance(rig.books), 0);
    const [episode] = readEpisodes(rig.dataplane.loopEpisodes);
    assert.deepEqual(episode?.members, [Id.insideMember, Id.firstFree]);
    assert.equal(episode.macLow, mac(HOST_A).low);
  });
});

describe('the report of a loop', () => {
  const text = `
    net interface 1.1 { device e1 }
    net interface 1.2 { device e2 }
    net vlan lan { interfaces { 1.1 { untagged } 1.2 { untagged } } tag 10 }
  `;
  function reporterOf(guard: LoopGuard) {
    const { configuration } = loadText(text, emptyConfiguration());
    const view = viewOf(configuration.views.values());
    const model = buildModel(view, new Map());
    const planner = new Planner(250);
    planner.plan(model);
    const worker = { tables: { loops: guard.episodes.buffer } };
    const lines: [string, unknown][] = [];
    const note = (message: string, fields?: unknown): void => void lines.push([message, fields]);
    const log: Log = { debug: note, info: note, warn: note, error: note };
    const sources = { model, planner, worker };
    return { reporter: new LoopReporter(() => sources, log), lines, sources };
  }

  it('names the MAC and both members, once an episode', () => {
    const guard = new LoopGuard();
    const { reporter, lines, sources } = reporterOf(guard);
    reporter.look();
    assert.equal(lines.length, 0);
    const numbers = new Map([...sources.planner.memberNames()].map(([number, name]) => [name, number]));
    const members = [numbers.get('/Common/lan 1.1')!, numbers.get('/Common/lan 1.2')!] as const;
    for (let second = 0; second < 5; second++) flap(guard, 100, second, members);
    reporter.look();
    reporter.look();
    assert.equal(lines.length, 1);
    assert.match(
      lines[0]![0],
      /^02:aa:00:00:00:01 moves to and fro between \/Common\/lan on 1\.1 and \/Common\/lan on 1\.2/,
    );
    assert.deepEqual(lines[0]![1], {
      code: 'loop-found',
      mac: '02:aa:00:00:00:01',
      one: '/Common/lan on 1.1',
      other: '/Common/lan on 1.2',
    });
    guard.tick(100);
    flap(guard, 100, 200, members);
    reporter.look();
    assert.equal(lines.length, 2);
    assert.equal(loopsOf(sources).length, 2);
  });
});
