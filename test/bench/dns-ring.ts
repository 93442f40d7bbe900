// Benchmarks of DNS over a veth pair: ours takes its frames straight from the device, gdnsd has sockets, Knot its own XDP.
//
//   namespace of the server             namespace of the client
//   192.0.2.1 sv0 ════════════════════ cl0, the generator as 192.0.2.2, by frames
//
// What a veth pair does when a frame arrives happens on the core of the sender, unless it is moved: in `...-own-core` all that the
// server's side does is on the core of the server, as with a card.

import { mkdirSync } from 'node:fs';
import { currentPlace, DeviceJournal } from '../../src/supervise/device-journal.ts';
import { QueryRuleKeeper } from '../../src/supervise/query-rules.ts';
import type { ProgramBenchmark } from './benchmark.ts';
import { inNamespace, pause, run, runAll } from './command.ts';
import { DEVICE_CORE, STATE } from './device.ts';
import { MIX, type Scene, STATIC } from './dns-scene.ts';
import { answersOf, GDNSD, KNOT, knotFiles, type Place, PORT, type Server, tailOf, wideplaneCommand } from './dns.ts';

const SERVER_SPACE = 'dns-server';
const CLIENT_SPACE = 'dns-client';
const DEVICE = 'sv0';
const ADDRESS = '192.0.2.1';
const SERVER_MAC = '02:00:00:00:00:01';
const CLIENT_DEVICE = 'cl0';
const PEER = ['peer', 'name', CLIENT_DEVICE, 'netns', CLIENT_SPACE];
/** The generator is nobody to its own kernel, which would otherwise look at every answer. */
const CLIENT_ADDRESS = '192.0.2.2';
const CLIENT_MAC = '02:00:00:00:00:99';

/** Until a thread of the kernel is found and put on its core. */
const PIN_MS = 500;

type Form = 'packet-ring' | 'af-xdp';
/** `isPolled`: the driver's own poll has an XDP program that takes what arrives; ours runs in the kernel's generic code. */
type DeviceServer = Server & { readonly isPolled: boolean };

const wideplane = (form: Form): DeviceServer => ({
  name: `wideplane by ${form}`,
  isPolled: false,
  files: () => ({}),
  command: (_directory, address, scene) => wideplaneCommand(address, form, DEVICE, scene),
});

const KNOT_XDP: DeviceServer = {
  ...KNOT,
  name: 'knot-xdp',
  isPolled: true,
  files: (directory, address) => knotFiles(directory, address, `xdp:\n  listen: ${DEVICE}@${PORT}\n  udp: on\n`),
};

const QUIET = { debug: () => undefined, info: () => undefined, warn: console.warn, error: console.error };

/** Measures one server on a veth pair of its own. */
async function onVeth(
  server: DeviceServer,
  measureMs: number,
  hasOwnCore: boolean,
  scene: Scene,
  measure: (server: Server, place: Place, scene: Scene) => (measureMs: number) => Promise<number> = answersOf,
): Promise<number> {
  const spaces = [SERVER_SPACE, CLIENT_SPACE];
  for (const space of spaces) await run(['ip', 'netns', 'add', space]);
  mkdirSync(STATE, { recursive: true });
  const rules = new QueryRuleKeeper(new DeviceJournal(`${STATE}/devices.json`, currentPlace()), QUIET);
  const place: Place = {
    address: ADDRESS,
    inServer: (command) => inNamespace(SERVER_SPACE, command),
    inClient: (command) => inNamespace(CLIENT_SPACE, command),
    loadOptions: [
      ...['--device', CLIENT_DEVICE, '--from', CLIENT_ADDRESS],
      ...['--from-mac', CLIENT_MAC, '--to-mac', SERVER_MAC],
    ],
    started: async () => {
      if (server.name === wideplane('packet-ring').name) {
        await rules.set('dnsd', [{ device: DEVICE, port: PORT, addresses: [ADDRESS], namespace: SERVER_SPACE }]);
      }
      if (hasOwnCore) await moveToOwnCore(server.isPolled);
    },
  };
  try {
    await runAll([
      ['ip', 'link', 'add', DEVICE, 'netns', SERVER_SPACE, 'address', SERVER_MAC, 'type', 'veth', ...PEER],
      ['ip', '-n', SERVER_SPACE, 'address', 'add', `${ADDRESS}/24`, 'dev', DEVICE],
      ['ip', '-n', SERVER_SPACE, 'neighbour', 'add', CLIENT_ADDRESS, 'lladdr', CLIENT_MAC, 'dev', DEVICE],
      ['ip', '-n', SERVER_SPACE, 'link', 'set', DEVICE, 'up'],
      ['ip', '-n', CLIENT_SPACE, 'link', 'set', CLIENT_DEVICE, 'up'],
    ]);
    return await measure(server, place, scene)(measureMs);
  } finally {
    await rules.removeAll();
    for (const space of spaces) await run(['ip', 'netns', 'delete', space]);
  }
}

/** What arrives goes to the server's core at once; what a driver polls, by a thread of the kernel (scripts/lib/pin-napi.sh). */
async function moveToOwnCore(isPolled: boolean): Promise<void> {
  const directory = `/sys/class/net/${DEVICE}`;
  const mask = (1 << DEVICE_CORE).toString(16);
  const script = isPolled
    ? `echo 1 > ${directory}/threaded`
    : `for f in ${directory}/queues/rx-*/rps_cpus; do echo ${mask} > $f; done`;
  await run(inNamespace(SERVER_SPACE, ['sh', '-c', script]));
  await pause(PIN_MS);
}

const GDNSD_SOCKETS: DeviceServer = { ...GDNSD, isPolled: false };

const FORMS = ['packet-ring', 'af-xdp'] as const;

const against = (
  [what, scene]: readonly [string, Scene],
  peer: DeviceServer,
  atLeast: number,
  hasOwnCore: boolean,
): ProgramBenchmark => ({
  ...{ name: `dns-ring-${what}-vs-${peer.name}${hasOwnCore ? '-own-core' : ''}`, unit: 'k answers/s' },
  ...{ atLeast, moreIsBetter: true },
  // The better of the forms: which it is depends on the device, and is the choice of whoever runs it.
  own: async (measureMs) => {
    let best = 0;
    for (const form of FORMS) best = Math.max(best, await onVeth(wideplane(form), measureMs, hasOwnCore, scene));
    return best;
  },
  peer: { name: peer.name, measure: (measureMs) => onVeth(peer, measureMs, hasOwnCore, scene) },
});

export const DNS_RING_BENCHMARKS: readonly ProgramBenchmark[] = [
  against(['static', STATIC], GDNSD_SOCKETS, 1.9, false),
  against(['static', STATIC], KNOT_XDP, 1.4, false),
  against(['static', STATIC], GDNSD_SOCKETS, 1.2, true),
  against(['static', STATIC], KNOT_XDP, 1.05, true),
  against(['mix', MIX], GDNSD_SOCKETS, 1.8, false),
  against(['mix', MIX], KNOT_XDP, 1.3, false),
  {
    ...{ name: 'dns-ring-p99-vs-gdnsd', unit: 'µs', atLeast: 0.5, moreIsBetter: false },
    own: (measureMs) => onVeth(wideplane('packet-ring'), measureMs, false, STATIC, tailOf),
    peer: { name: GDNSD.name, measure: (measureMs) => onVeth(GDNSD_SOCKETS, measureMs, false, STATIC, tailOf) },
  },
];
