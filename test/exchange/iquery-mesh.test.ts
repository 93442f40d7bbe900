// Machines of a mesh on a network that is cut, loses, delays and vanishes, under one clock: what each of them makes of it.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { ChannelEvents, MessageChannel } from '../../src/iquery/mesh-transport.ts';
import type { Message } from '../../src/iquery/messages.ts';
import { MeshNetwork, peerOf } from '../support/mesh-network.ts';
import { assertHeard, Speaker, View, virtualServer } from '../support/mesh-view.ts';

const HEARTBEAT_MS = 10_000;

type Pair = { readonly network: MeshNetwork; readonly a: Speaker; readonly b: Speaker };

/** Each dials the other, in the same moment. */
function pair(seed = 1): Pair {
  const network = new MeshNetwork(seed);
  const [a, b] = [new Speaker(network, 'a', ['192.0.2.1']), new Speaker(network, 'b', ['192.0.2.2'])];
  a.dials([b]);
  b.dials([a]);
  return { network, a, b };
}

const stateOf = (speaker: Speaker, at = 0): string => speaker.mesh.peers[at]!.condition.state;

/** When, from now on, it is so; looked at every 10 ms, and no longer than that. */
function untilSo(network: MeshNetwork, mostMs: number, isSo: () => boolean): number {
  const begun = network.clock.now();
  while (!isSo()) {
    assert.ok(network.clock.now() - begun < mostMs, `it is not so after ${mostMs} ms`);
    network.run(10);
  }
  return network.clock.now() - begun;
}

/** A machine that says what the test says. */
class Other {
  readonly channels: MessageChannel[] = [];
  readonly got: Message[] = [];
  readonly closed: string[] = [];
  readonly machine: Speaker;

  constructor(network: MeshNetwork, name: string, address: string, greeting: readonly Message[]) {
    this.machine = new Speaker(network, name, [address]);
    this.machine.acceptor = (channel) => {
      this.channels.push(channel);
      if (greeting.length > 0) channel.send(greeting);
      return this.events;
    };
  }

  readonly events: ChannelEvents = {
    opened: () => undefined,
    heard: () => undefined,
    message: (message) => this.got.push(message),
    unknown: () => undefined,
    drained: () => undefined,
    closed: (reason) => this.closed.push(reason),
  };
}

const GREETING: readonly Message[] = [
  { message: 'version', value: '16.1.3.3' },
  { message: 'big3d', value: 'big3d Version 16.1.3.3.0.0.3' },
  { message: 'connection_id', value: '847' },
];

const OFFER: Message = {
  ...{ message: 'offer', grammar: 1, device: 'x', device_id: 'id of x', time: 0, compression: [] },
};

it('who subscribes gets a channel whole, and then what changes, once', () => {
  const { network, a, b } = pair();
  b.sayAll('vs', [virtualServer('/Common/1'), virtualServer('/Common/2')]);
  network.run(1000);
  assert.deepEqual(a.view.calls, ['whole vs 2']);
  b.say(virtualServer('/Common/1'));
  b.sayAll('vs', [virtualServer('/Common/1'), virtualServer('/Common/2')]);
  network.run(1000);
  assert.equal(a.view.calls.length, 1, 'what says the same is not sent again');
  b.say(virtualServer('/Common/3'));
  b.say(virtualServer('/Common/1', 'down'));
  b.unsay('vs', '/Common/2');
  network.run(1000);
  assert.deepEqual(a.view.calls.slice(1), ['record vs /Common/3', 'record vs /Common/1', 'forgotten vs /Common/2']);
  assertHeard([a, b], 'in the end');
});

it('a channel of which nothing is known yet is not told to be empty', () => {
  const { network, a, b } = pair();
  network.run(5000);
  assert.equal(stateOf(a), 'connected');
  assert.deepEqual(a.view.calls, []);
  b.sayAll('vs', []);
  network.run(100);
  assert.deepEqual(a.view.calls, ['whole vs 0']);
});

it('both dial each other at once: two connections, and both are heard', () => {
  const { network, a, b } = pair();
  a.say(virtualServer('/Common/of-a'));
  b.say(virtualServer('/Common/of-b'));
  network.run(60_000);
  assert.equal(network.connectionsOf(a).length, 2);
  assert.equal(network.dials.length, 2, 'nobody was dialled twice');
  assertHeard([a, b], 'after a minute');
  assert.deepEqual(
    [a, b].map((one) => one.mesh.subscribers.map(({ device, isGtm }) => [device, isGtm])),
    [[['b', true]], [['a', true]]],
  );
});

it('a connection that is lost is dialled again within 1.25 s, and what changed meanwhile is known', () => {
  const { network, a, b } = pair();
  b.say(virtualServer('/Common/1'));
  network.run(5000);
  for (const connection of network.connectionsOf(a)) connection.reset();
  network.run(100);
  assert.equal(stateOf(a), 'not-connected');
  b.say(virtualServer('/Common/1', 'down'));
  b.say(virtualServer('/Common/2'));
  network.run(2000);
  assert.equal(stateOf(a), 'connected');
  assertHeard([a, b], 'after it came back');
  assert.deepEqual(
    a.view.conditions.map(({ condition }) => condition.state),
    ['connecting', 'connected', 'not-connected', 'connected'],
  );
  const { reconnects, attempts } = a.mesh.snapshot().peers[0]!;
  assert.deepEqual([reconnects, attempts], [1, 2]);
});

it('a half-open connection is given up after three heartbeats, by both sides', () => {
  const { network, a, b } = pair();
  network.run(5000);
  for (const connection of network.connectionsOf(a)) connection.isLost = true;
  const noticed = untilSo(network, 60_000, () => stateOf(a) === 'not-connected' && stateOf(b) === 'not-connected');
  console.log(`half open: noticed after ${(noticed / 1000).toFixed(1)} s`);
  // Something was heard at most a heartbeat before.
  assert.ok(noticed >= 2 * HEARTBEAT_MS && noticed <= 3 * HEARTBEAT_MS + 1000);
  const back = untilSo(network, 5000, () => stateOf(a) === 'connected' && stateOf(b) === 'connected');
  console.log(`and connected again ${(back / 1000).toFixed(1)} s later`);
  network.run(30_000);
  assert.equal(a.mesh.subscribers.length, 1);
  assert.equal(b.mesh.subscribers.length, 1);
});

it('with a heartbeat of a second, a peer of ten seconds is kept, and one that vanishes is dead after three seconds', () => {
  const { network, a, b } = pair();
  a.set({ heartbeatMs: 0 });
  network.run(60_000);
  assert.equal(a.linesOf('iquery-box-red').length + b.linesOf('iquery-box-red').length, 0);
  b.vanish();
  const noticed = untilSo(network, 60_000, () => stateOf(a) === 'not-connected');
  console.log(`vanished: noticed after ${(noticed / 1000).toFixed(2)} s`);
  assert.ok(noticed > 2000 && noticed <= 4000);
  untilSo(network, 60_000, () => a.mesh.subscribers.length === 0);
  b.start();
  const back = untilSo(network, 45_000, () => stateOf(a) === 'connected' && stateOf(b) === 'connected');
  console.log(`and connected ${(back / 1000).toFixed(2)} s after it was back`);
  assert.ok(back < 5000, 'who dials is dialled');
});

it('waits double up to 30 s, a quarter more or less, and a good connection brings back the first', () => {
  const { network, a, b } = pair();
  b.dials([]);
  b.refuses = true;
  network.run(300_000);
  const times = network.dials.filter(({ from }) => from === 'a').map(({ at }) => at);
  const waits = times.slice(1).map((at, index) => (at - times[index]!) / 1000);
  for (const [index, expected] of [1, 2, 4, 8, 16, 30, 30, 30].entries()) {
    const wait = waits[index]!;
    // With the milliseconds of the attempt itself.
    assert.ok(wait > 0.75 * expected && wait < 1.25 * expected + 0.1, `wait ${index}: ${wait} s`);
  }
  b.refuses = false;
  network.run(38_000);
  assert.equal(stateOf(a), 'connected');
  network.run(61_000);
  for (const connection of network.connectionsOf(a)) connection.reset();
  untilSo(network, 5000, () => stateOf(a) === 'not-connected');
  const back = untilSo(network, 5000, () => stateOf(a) === 'connected');
  assert.ok(back < 1500, `back after ${back} ms`);
});

it('a slow reader keeps the last of each key, and holds nothing up for others', () => {
  const network = new MeshNetwork(7);
  const [a, slow, quick] = ['a', 'slow', 'quick'].map(
    (name, index) => new Speaker(network, name, [`192.0.2.${index + 1}`]),
  ) as [Speaker, Speaker, Speaker];
  slow.dials([a]);
  quick.dials([a]);
  a.sayAll(
    'vs',
    Array.from({ length: 1000 }, (_, index) => virtualServer(`/Common/${index}`, 'first')),
  );
  network.run(2000);
  slow.readsAtOnce = 10;
  slow.readsEveryMs = 100;
  for (let round = 0; round < 100; round++) {
    for (let index = 0; index < 1000; index++) a.say(virtualServer(`/Common/${index}`, `round ${round}`));
    network.run(250);
  }
  const [told, held] = [quick, slow].map((one) => one.view.calls.length) as [number, number];
  assert.equal(told, 1 + 100 * 1000, 'who reads quickly gets every change');
  assert.ok(held < 4000, `who reads slowly got ${held} of 100,000 changes`);
  assert.ok(
    a.mesh.snapshot().subscribers.some(({ subscriber, isBacklogged }) => subscriber?.device === 'slow' && isBacklogged),
  );
  slow.readsAtOnce = Infinity;
  network.run(1000);
  assertHeard([a, slow, quick], 'once it reads');
  assert.equal(slow.linesOf('iquery-box-red').length, 0);
});

it('a reader that takes nothing for 30 s is let go of, though it is heard', () => {
  const network = new MeshNetwork(3);
  const a = new Speaker(network, 'a', ['192.0.2.1']);
  a.sayAll(
    'vs',
    Array.from({ length: 5000 }, (_, index) => virtualServer(`/Common/${index}`)),
  );
  const reader = new Other(network, 'reader', '192.0.2.9', []);
  const channel = network.dial(reader.machine, peerOf(a, '192.0.2.1', reader.machine), reader.events);
  network.run(1000);
  reader.machine.readsAtOnce = 0;
  const who = { device: 'reader', device_id: 'reader', compression: [], sync_group: 'default', is_gtm: true };
  channel.send([{ message: 'subscribe', grammar: 1, time: 0, ...who }]);
  network.run(1000);
  assert.equal(a.mesh.subscribers.length, 1);
  for (let second = 2; second < 29; second++) {
    channel.send([{ message: 'heartbeat', number: second, time: 0 }]);
    network.run(1000);
  }
  assert.equal(a.mesh.subscribers.length, 1, 'after 29 s');
  network.run(3000);
  assert.equal(a.mesh.subscribers.length, 0);
  assert.match(a.linesOf('iquery-unsubscribed')[0]!.message, /takes nothing/);
});

it('a reader that stands still loses its connection, and is told everything when it is back', () => {
  const { network, a, b } = pair();
  a.sayAll(
    'vs',
    Array.from({ length: 5000 }, (_, index) => virtualServer(`/Common/${index}`)),
  );
  network.run(5000);
  b.readsAtOnce = 0;
  for (let index = 0; index < 5000; index++) a.say(virtualServer(`/Common/${index}`, 'changed'));
  network.run(60_000);
  assert.equal(a.mesh.subscribers.length, 0);
  b.readsAtOnce = Infinity;
  network.run(60_000);
  assertHeard([a, b], 'it reads again');
});

it('a second connection of the same machine takes the place of the first, with a line', () => {
  const { network, a, b } = pair();
  network.run(5000);
  const old = network.connectionsOf(a).find(({ client }) => client.machine === b)!;
  // The dialler has lost it and dials anew; the other side does not know.
  old.isLost = true;
  b.vanish();
  b.start();
  network.run(2000);
  assert.equal(a.linesOf('iquery-replaced').length, 1);
  assert.equal(a.mesh.subscribers.length, 1);
  network.run(60_000);
  assert.equal(a.linesOf('iquery-replaced').length, 1, 'and that was that');
});

it('clocks that are set, forth and back, lose no connection, and are reported while they are wrong', () => {
  const { network, a, b } = pair();
  b.say(virtualServer('/Common/1'));
  network.run(25_000);
  assert.equal(a.linesOf('iquery-clock-skew').length, 0);
  b.clock.offset = 3_600_000;
  network.run(25_000);
  assert.match(
    a.linesOf('iquery-clock-skew')[0]!.message,
    /clock of \/Common\/b .* is 3600\.0 s ahead of this machine's/,
  );
  assert.match(
    b.linesOf('iquery-clock-skew')[0]!.message,
    /clock of \/Common\/a .* is 3600\.0 s behind this machine's/,
  );
  assert.ok(Math.abs(a.mesh.snapshot().peers[0]!.clockSkewMs! - 3_600_000) < 25);
  b.clock.offset = -3_600_000;
  a.clock.offset = -3_600_000;
  network.run(25_000);
  assert.equal(a.linesOf('iquery-clock-right').length, 1);
  assert.equal(a.linesOf('iquery-clock-skew').length, 1, 'it is said once');
  b.say(virtualServer('/Common/2'));
  network.run(1000);
  assertHeard([a, b], 'with clocks an hour back');
  assert.equal(a.linesOf('iquery-box-red').length + b.linesOf('iquery-box-red').length, 0);
  assert.equal(network.dials.length, 2);
});

it('a process that stood still for a minute takes nobody for dead', () => {
  const { network, a, b } = pair();
  network.run(25_000);
  network.clock.jump(60_000);
  network.run(60_000);
  assert.equal(network.dials.length, 2);
  assert.equal(stateOf(a), 'connected');
  assert.equal(b.mesh.subscribers.length, 1);
});

it('a real big3d is a stranger: kept for an hour, though it says nothing more, and sent nothing', () => {
  const network = new MeshNetwork(3);
  const a = new Speaker(network, 'a', ['192.0.2.1']);
  const bigip = new Other(network, 'bigip', '192.0.2.9', GREETING);
  a.dials([bigip.machine]);
  network.run(6000);
  assert.equal(stateOf(a), 'stranger');
  network.run(3_600_000);
  assert.equal(stateOf(a), 'stranger');
  assert.deepEqual(bigip.got, []);
  assert.equal(network.dials.length, 1);
  assert.deepEqual(a.mesh.snapshot().peers[0]!.identity, {
    version: '16.1.3.3',
    big3d: 'big3d Version 16.1.3.3.0.0.3',
    connectionId: '847',
  });
  assert.equal(a.mesh.request(bigip.machine.server, { message: 'config_request', digest: '' }), false);
  // One that was only slow is understood after all.
  bigip.channels[0]!.send([OFFER]);
  network.run(1000);
  assert.equal(stateOf(a), 'connected');
  assert.deepEqual(
    bigip.got.map(({ message }) => message),
    ['subscribe', 'heartbeat'],
  );
});

it('who is connected and says nothing at all is dialled again', () => {
  const network = new MeshNetwork(3);
  const a = new Speaker(network, 'a', ['192.0.2.1']);
  const mute = new Other(network, 'mute', '192.0.2.9', []);
  a.dials([mute.machine]);
  network.run(35_000);
  assert.match(a.linesOf('iquery-box-red')[0]!.message, /says nothing/);
  assert.equal(mute.channels.length, 2);
});

it('a peer of another grammar is a stranger, and a client of another one is told nothing', () => {
  const network = new MeshNetwork(3);
  const a = new Speaker(network, 'a', ['192.0.2.1']);
  a.say(virtualServer('/Common/1'));
  const later = new Other(network, 'later', '192.0.2.9', [...GREETING, { ...OFFER, grammar: 2 }]);
  a.dials([later.machine]);
  network.run(60_000);
  assert.equal(stateOf(a), 'stranger');
  assert.equal(a.linesOf('iquery-other-grammar').length, 1);
  assert.deepEqual(later.got, []);
  const channel = network.dial(later.machine, peerOf(a, '192.0.2.1', later.machine), later.events);
  network.run(1000);
  const who = { device: 'later', device_id: 'later', time: 0, compression: [], sync_group: 'default', is_gtm: true };
  channel.send([{ message: 'subscribe', grammar: 2, ...who }]);
  network.run(60_000);
  assert.deepEqual(
    later.got.map(({ message }) => message),
    ['version', 'big3d', 'connection_id', 'offer'],
  );
  assert.deepEqual(later.closed, []);
});

it('a real gtmd, which never subscribes, is greeted and kept', () => {
  const network = new MeshNetwork(3);
  const a = new Speaker(network, 'a', ['192.0.2.1']);
  a.say(virtualServer('/Common/1'));
  const gtmd = new Other(network, 'gtmd', '192.0.2.9', []);
  network.dial(gtmd.machine, peerOf(a, '192.0.2.1', gtmd.machine), gtmd.events);
  network.run(3_600_000);
  assert.deepEqual(
    gtmd.got.map(({ message }) => message),
    ['version', 'big3d', 'connection_id', 'offer'],
  );
  assert.deepEqual(gtmd.closed, []);
  assert.deepEqual(a.mesh.subscribers, []);
  assert.equal(a.mesh.snapshot().subscribers.length, 1);
});

it('messages that make no sense where they come are counted, and elements that are none are logged once', () => {
  const network = new MeshNetwork(3);
  const a = new Speaker(network, 'a', ['192.0.2.1']);
  const odd = new Other(network, 'odd', '192.0.2.9', [...GREETING, virtualServer('/Common/too-early'), OFFER]);
  a.dials([odd.machine]);
  network.run(1000);
  const { client } = network.connectionsOf(a)[0]!;
  for (let count = 0; count < 100; count++) client.events!.unknown('kernel');
  for (let count = 0; count < 100; count++) client.events!.unknown(`element-${count}`);
  odd.channels[0]!.send([
    { message: 'end', channel: 'vs' },
    { message: 'begin', channel: 'no-such-channel' },
    { message: 'forget', channel: 'nor-this', key: '' },
    { message: 'config_request', digest: 'x' },
    OFFER,
  ]);
  network.run(1000);
  const { counts } = a.mesh.snapshot().peers[0]!;
  assert.deepEqual([counts.unknown, counts.unexpected], [200, 6]);
  assert.equal(a.linesOf('iquery-unknown-element').filter(({ message }) => message.includes('<kernel>')).length, 1);
  assert.ok(a.linesOf('iquery-unknown-element').length <= 32);
  assert.equal(stateOf(a), 'connected');
  assert.deepEqual(a.view.calls, []);
});

it('what belongs to a group is told to its members, and not any more when they have left', () => {
  const network = new MeshNetwork(5);
  const [a, member, stranger, ltm] = ['a', 'member', 'stranger', 'ltm'].map(
    (name, index) => new Speaker(network, name, [`192.0.2.${index + 1}`]),
  ) as [Speaker, Speaker, Speaker, Speaker];
  stranger.set({ syncGroup: 'other' });
  ltm.set({ isGtm: false });
  a.dials([]);
  for (const one of [member, stranger, ltm]) one.dials([a]);
  const config = { sync_group: 'default', version: 1, digest: 'd', time: 1, changed_by: 'a', history: ['c'] };
  a.say({ message: 'config', ...config });
  a.say({ message: 'zone_file', name: 'z', digest: 'd', serial: 1, time: 1 });
  a.say(virtualServer('/Common/1'));
  const counts = (): number[] =>
    [member, stranger, ltm].map(({ view }) => view.of(a.server, 'config').size + view.of(a.server, 'zone_file').size);
  const all = [a, member, stranger, ltm];
  network.run(2000);
  assertHeard(all, 'at first');
  assert.deepEqual(counts(), [2, 0, 0]);
  stranger.set({ syncGroup: 'default' });
  network.run(2000);
  assertHeard(all, 'one more');
  assert.deepEqual(counts(), [2, 2, 0]);
  a.set({ syncGroup: 'third' });
  network.run(2000);
  assertHeard(all, 'left alone');
  assert.deepEqual(counts(), [0, 0, 0]);
  for (const connection of network.connectionsOf(a)) connection.reset();
  a.set({ syncGroup: 'default' });
  ltm.set({ isGtm: true });
  network.run(5000);
  assertHeard(all, 'and again');
  assert.deepEqual(counts(), [2, 2, 2]);
});

it('a list that is the same is no change, and one with another order is', () => {
  const { network, a, b } = pair();
  const config = { sync_group: 'default', version: 1, digest: 'd', time: 1, changed_by: 'a' };
  for (const history of [['x', 'y'], ['x', 'y'], ['y', 'x'], ['y']]) {
    b.say({ message: 'config', ...config, history });
    network.run(1000);
  }
  assert.deepEqual(a.view.calls, ['whole config 1', 'record config ', 'record config ']);
});

it('a feature that throws is said once, and takes nothing down', () => {
  const { network, a, b } = pair();
  class Thrower extends View {
    override onWhole(): void {
      throw new Error('of a whole');
    }
    override onRecord(): void {
      throw new Error('of a record');
    }
    override onCondition(): void {
      throw new Error('of a condition');
    }
    override onRequest(): void {
      throw new Error('of a request');
    }
  }
  a.mesh.addFeature(new Thrower());
  b.mesh.addFeature(new Thrower());
  b.sayAll('vs', [virtualServer('/Common/1')]);
  network.run(1000);
  for (let count = 0; count < 10; count++) {
    b.say(virtualServer('/Common/1', `${count}`));
    assert.equal(a.mesh.request(b.server, { message: 'config_request', digest: `${count}` }), true);
    network.run(100);
  }
  network.run(60_000);
  assertHeard([a, b], 'beside a feature that fails');
  assert.equal(a.linesOf('iquery-feature-failed').length, 3);
  assert.match(a.linesOf('iquery-feature-failed').at(-1)!.message, /Thrower\.onRecord fails.*of a record/s);
  assert.equal(b.view.requests.length, 10);
  assert.equal(a.linesOf('iquery-box-red').length, 0);
});

it('of several addresses one is subscribed, and another takes over in the moment in which it is lost', () => {
  const network = new MeshNetwork(11);
  const a = new Speaker(network, 'a', ['192.0.2.1']);
  const b = new Speaker(network, 'b', ['192.0.2.2', '192.0.2.3', '192.0.2.4']);
  a.dials([b]);
  b.say(virtualServer('/Common/1'));
  network.run(60_000);
  assert.equal(network.connectionsOf(a).length, 3);
  assert.equal(b.mesh.subscribers.length, 1);
  assert.deepEqual(a.view.calls, ['whole vs 1']);
  const active = (): number => a.mesh.snapshot().peers.findIndex(({ isActive }) => isActive);
  const first = active();
  const lost = network.connectionsOf(a)[first]!;
  lost.reset();
  b.say(virtualServer('/Common/2'));
  network.run(200);
  assert.notEqual(active(), first);
  assertHeard([a, b], 'by another address');
  assert.deepEqual(
    a.view.conditions.map(({ condition }) => condition.state),
    ['connecting', 'connected'],
    'features see no gap',
  );
  assert.equal(a.linesOf('iquery-switched').length, 1);
  const second = active();
  network.run(60_000);
  assert.equal(active(), second, 'it stays with the one that it has');
  assert.equal(network.connectionsOf(a).length, 3);
  b.vanish();
  const gone = untilSo(network, 60_000, () => a.view.conditions.at(-1)!.condition.state === 'not-connected');
  const last = a.view.conditions.at(-1)!.condition;
  console.log(`all addresses are known to be gone after ${(gone / 1000).toFixed(1)} s`);
  assert.match('reason' in last ? last.reason : '', /^192\.0\.2\.2: .*; 192\.0\.2\.3: .*; 192\.0\.2\.4: /);
});

it('two devices of a redundant server are one server, by whichever is connected', () => {
  const network = new MeshNetwork(13);
  const a = new Speaker(network, 'a', ['192.0.2.1']);
  const [one, two] = [new Speaker(network, 'one', ['192.0.2.2']), new Speaker(network, 'two', ['192.0.2.3'])];
  const server = '/Common/cluster';
  a.peers = [one, two].map((machine) => peerOf(machine, machine.addresses[0]!, a, server));
  a.mesh.wantPeers(a.peers, a.settings);
  one.say(virtualServer('/Common/x', 'by one'));
  two.say(virtualServer('/Common/x', 'by two'));
  network.run(5000);
  const reason = (): string | undefined => {
    const record = a.view.of(server, 'vs').get('/Common/x');
    return record?.message === 'vs' ? record.reason : undefined;
  };
  assert.equal(reason(), 'by one');
  one.vanish();
  untilSo(network, 40_000, () => reason() === 'by two');
  assert.equal(a.view.conditions.at(-1)!.condition.state, 'connected');
});

it('two gtm servers that are one machine: one is heard, the other says why not, and takes over', () => {
  const network = new MeshNetwork(17);
  const a = new Speaker(network, 'a', ['192.0.2.1']);
  const b = new Speaker(network, 'b', ['192.0.2.2', '192.0.2.3']);
  b.say(virtualServer('/Common/1'));
  a.peers = [peerOf(b, '192.0.2.2', a, '/Common/x'), peerOf(b, '192.0.2.3', a, '/Common/y')];
  a.mesh.wantPeers(a.peers, a.settings);
  network.run(60_000);
  assert.equal(b.mesh.subscribers.length, 1);
  assert.equal(b.linesOf('iquery-replaced').length, 0);
  assert.equal(a.linesOf('iquery-same-machine').length, 1);
  const blocked = a.view.conditions.filter(({ server }) => server === '/Common/y').at(-1)!.condition;
  assert.match('reason' in blocked ? blocked.reason : '', /same machine as \/Common\/x/);
  a.peers = a.peers.slice(1);
  a.mesh.wantPeers(a.peers, a.settings);
  network.run(5000);
  assert.equal(a.view.of('/Common/y', 'vs').size, 1);
});

it('requests are answered in pieces, in their order, beside what is published', () => {
  const { network, a, b } = pair();
  const parts = 300;
  network.run(1000);
  assert.equal(
    b.mesh.reply(99_999, { message: 'zone_file_text', name: 'z', digest: 'd', part: 0, parts: 1, text: '' }),
    false,
  );
  assert.equal(a.mesh.request(b.server, { message: 'zone_file_request', name: 'z', digest: 'd' }), true);
  network.run(100);
  const { subscriber, request } = b.view.requests[0]!;
  assert.deepEqual([subscriber.device, request.message], ['a', 'zone_file_request']);
  a.readsAtOnce = 5;
  a.readsEveryMs = 20;
  for (let part = 0; part < parts; part++) {
    const reply = { message: 'zone_file_text', name: 'z', digest: 'd', part, parts, text: 'x' } as const;
    assert.equal(b.mesh.reply(subscriber.id, reply), true);
    if (part % 10 === 0) b.say(virtualServer(`/Common/${part}`));
  }
  network.run(10_000);
  assert.deepEqual(
    a.view.replies.map((reply) => ('part' in reply ? reply.part : -1)),
    Array.from({ length: parts }, (_, part) => part),
  );
  assertHeard([a, b], 'beside answers');
});

it('answers to who takes nothing are refused in the end, and counted', () => {
  const { network, a, b } = pair();
  network.run(1000);
  a.readsAtOnce = 0;
  const { id } = b.mesh.subscribers[0]!;
  let taken = 0;
  while (taken < 5000 && b.mesh.reply(id, { message: 'config_text', digest: 'd', part: taken, parts: 9999, text: '' }))
    taken++;
  console.log(`answers taken for one who reads nothing: ${taken}`);
  assert.ok(taken < 1500);
  assert.equal(b.mesh.snapshot().subscribers[0]!.counts.dropped, 1);
});

it('who is not configured any more is left with a word, and dialled no more', () => {
  const { network, a, b } = pair();
  network.run(5000);
  a.dials([]);
  network.run(1000);
  assert.deepEqual(a.mesh.peers, []);
  assert.deepEqual(b.mesh.subscribers, []);
  assert.match(b.linesOf('iquery-unsubscribed')[0]!.message, /not configured any more/);
  assert.equal(a.view.conditions.at(-1)!.condition.state, 'not-connected');
  const dials = network.dials.length;
  network.run(120_000);
  assert.equal(network.dials.length, dials);
  a.dials([b]);
  network.run(1000);
  assert.equal(stateOf(a), 'connected');
});

it('one that stops says so, and others dial it until it is back', () => {
  const { network, a, b } = pair();
  network.run(5000);
  b.mesh.stop();
  b.vanish();
  network.run(100);
  assert.match(a.linesOf('iquery-box-red')[0]!.message, /Box 192\.0\.2\.2 state change green --> red .*iqueryd stops/);
  network.run(20_000);
  b.start();
  const back = untilSo(network, 40_000, () => stateOf(a) === 'connected');
  assert.ok(back < 3000, `back after ${back} ms`);
  assert.deepEqual(
    a.lines.filter(({ code }) => String(code).startsWith('iquery-box')).map(({ message }) => message.slice(0, 56)),
    ['blue --> green', 'green --> red', 'red --> green'].map((change) =>
      `SNMP_TRAP: Box 192.0.2.2 state change ${change} (/Common/b: `.slice(0, 56),
    ),
  );
});

it('it dials itself as any other, and hears itself', () => {
  const network = new MeshNetwork(19);
  const a = new Speaker(network, 'a', ['192.0.2.1']);
  a.dials([a]);
  a.say(virtualServer('/Common/1'));
  network.run(60_000);
  assertHeard([a], 'itself');
  assert.equal(a.mesh.subscribers.length, 1);
});
