// One TCP stream through two gateways that seal it, ESP in UDP, each gateway on the host of its end of the stream. The places and the
// way to measure are those of bulk.ts; below are the three kinds of ends:
//
//   wideplane      TUN device `end`, packets that a traffic selector protects, AES-128-GCM with manual keys, ESP in UDP
//   strongSwan     charon with kernel-libipsec: ESP in user space, on a TUN device; keys by IKEv2 with a secret
//   wireguard-go   WireGuard in user space

import { mkdir, rm, writeFile } from 'node:fs/promises';

import { Running, inNamespace, pause, run, runAll } from './command.ts';
import { STATE, WIDEPLANE } from './device.ts';
import type { BulkBenchmark } from './benchmark.ts';
import type { Command } from './command.ts';
import type { Place, StartEnd } from './bulk.ts';

const MTU = 1500;
/** Less outer IPv4 20, UDP 8, ESP 8, IV 8, pad length and next header 2 with padding to 4 octets, ICV 16. */
const INNER_MTU = 1438;
const UP_MS = 20_000;

/** What both ends agree on, each from its own side. */
const isLeft = ({ underlay, remote }: Place): boolean => underlay < remote;

async function freshState({ namespace }: Place): Promise<string> {
  const state = `${STATE}/${namespace}`;
  await rm(state, { recursive: true, force: true });
  await mkdir(state, { recursive: true });
  return state;
}

/** An association of one direction, the same on both ends. */
const association = (name: string, policy: string, from: string, to: string, spi: number): string => `
net ipsec manual-security-association ${name} {
    auth-algorithm aes-gcm128 encrypt-algorithm aes-gcm128 encrypt-key 0x${Buffer.alloc(20, spi).toString('hex')}
    ipsec-policy ${policy} source-address ${from} destination-address ${to} spi ${1000 + spi} udp-encapsulation 4500:4500
}`;

/** wideplane as a user runs it. */
export const startWideplaneSealed: StartEnd = async (place) => {
  const { namespace, underlay, remote, inside } = place;
  const state = await freshState(place);
  const configuration = `${state}/wideplane.conf`;
  const far = isLeft(place) ? '172.16.2.2' : '172.16.2.1';
  const [sends, receives] = isLeft(place) ? [1, 2] : [2, 1];
  await writeFile(
    configuration,
    `
net interface 1.1 { device u0 adapter packet-ring receive-offloads join-datagrams }
net interface 1.2 { device end adapter tun }
net vlan wan { interfaces { 1.1 { untagged } } mtu ${MTU} }
net vlan inside { interfaces { 1.2 { untagged } } mtu ${INNER_MTU} }
net self wan-self { address ${underlay}/24 vlan wan }
net self inside-self { address 172.16.2.254/24 vlan inside }
net ipsec ipsec-policy sealed { mode tunnel tunnel-local-address ${underlay} tunnel-remote-address ${remote} }
${association('out', 'sealed', underlay, remote, sends)}
${association('in', 'sealed', remote, underlay, receives)}
net ipsec traffic-selector all {
    source-address ${inside}/32 destination-address ${far}/32 direction both ipsec-policy sealed
}
`,
  );
  const up = [process.execPath, WIDEPLANE, 'up', '--config', configuration, '--state', `${state}/state`];
  const running = await Running.start(inNamespace(namespace, up), (output) => output.includes('dataplaned ready'));
  await runAll([
    ['ip', '-n', namespace, 'address', 'add', `${inside}/32`, 'dev', 'end'],
    ['ip', '-n', namespace, 'route', 'add', `${far}/32`, 'dev', 'end', 'src', inside],
  ]);
  return [running];
};

const STRONGSWAN_PLUGINS =
  'random nonce openssl hmac kdf kernel-libipsec kernel-netlink socket-default vici updown aes gcm sha2';

/** ESP in user space means ESP in UDP there. */
export const startStrongSwanEnd: StartEnd = async (place) => {
  const { namespace, underlay, remote, inside } = place;
  const state = await freshState(place);
  const [own, other] = isLeft(place) ? ['left', 'right'] : ['right', 'left'];
  const far = isLeft(place) ? '172.16.2.2' : '172.16.2.1';
  await runAll([
    ['ip', '-n', namespace, 'address', 'add', `${underlay}/24`, 'dev', 'u0'],
    ['ip', '-n', namespace, 'address', 'add', `${inside}/32`, 'dev', 'lo'],
  ]);
  await writeFile(
    `${state}/strongswan.conf`,
    `
charon-systemd {
  load = ${STRONGSWAN_PLUGINS}
  plugins {
    vici { socket = unix://${state}/vici }
    kernel-libipsec { allow_peer_ts = yes }
  }
  filelog { log { path = ${state}/log
    default = 1
    flush_line = yes } }
}
swanctl { load = openssl random }
`,
  );
  await writeFile(
    `${state}/swanctl.conf`,
    `
connections { pair {
  version = 2
  local_addrs = ${underlay}
  remote_addrs = ${remote}
  proposals = aes128gcm16-prfsha256-curve25519
  local { auth = psk
    id = ${own}.bench }
  remote { auth = psk
    id = ${other}.bench }
  children { stream {
    local_ts = ${inside}/32
    remote_ts = ${far}/32
    mode = tunnel
    esp_proposals = aes128gcm16
  } }
} }
secrets { ike-pair { secret = "bench" } }
`,
  );
  const environment = { ...process.env, STRONGSWAN_CONF: `${state}/strongswan.conf`, SWANCTL_DIR: state };
  const variables = [`STRONGSWAN_CONF=${state}/strongswan.conf`, `SWANCTL_DIR=${state}`];
  const control = (words: Command): Command =>
    inNamespace(namespace, ['env', ...variables, 'swanctl', ...words, '--uri', `unix://${state}/vici`]);
  const running = await Running.start(inNamespace(namespace, ['charon-systemd']), undefined, environment);
  await until(running, () => run(control(['--load-all'])));
  // The end that starts second finds the other one ready.
  if (!isLeft(place)) await until(running, () => run(control(['--initiate', '--child', 'stream', '--timeout', '5'])));
  return [running];
};

const WIREGUARD_PORT = 51820;
/** Keys of a pair that is on no network: any 32 octets are one. */
const wireguardKey = (side: boolean): string => Buffer.alloc(32, side ? 0x41 : 0x42).toString('base64');

export const startWireguardGoEnd: StartEnd = async (place) => {
  const { namespace, underlay, remote, inside } = place;
  const state = await freshState(place);
  const side = isLeft(place);
  const far = side ? '172.16.2.2' : '172.16.2.1';
  // The socket that `wg` speaks to has its name from the device, in a directory that all namespaces share.
  const device = side ? 'wgbenchl' : 'wgbenchr';
  await writeFile(`${state}/key`, wireguardKey(side), { mode: 0o600 });
  await writeFile(`${state}/other`, wireguardKey(!side), { mode: 0o600 });
  const publicKey = (await run(['sh', '-c', `wg pubkey < ${state}/other`])).trim();
  await run(['ip', '-n', namespace, 'address', 'add', `${underlay}/24`, 'dev', 'u0']);
  const running = await Running.start(inNamespace(namespace, ['wireguard-go', '--foreground', device]));
  const peer = ['peer', publicKey, 'endpoint', `${remote}:${WIREGUARD_PORT}`, 'allowed-ips', `${far}/32`];
  const own = ['listen-port', String(WIREGUARD_PORT), 'private-key', `${state}/key`];
  await until(running, () => run(inNamespace(namespace, ['wg', 'set', device, ...own, ...peer])));
  await runAll([
    ['ip', '-n', namespace, 'address', 'add', `${inside}/24`, 'dev', device],
    ['ip', '-n', namespace, 'link', 'set', device, 'up'],
  ]);
  return [running];
};

/** Tries until it works, as long as the program runs. */
async function until(running: Running, attempt: () => Promise<unknown>): Promise<void> {
  const deadline = Date.now() + UP_MS;
  for (;;) {
    try {
      await attempt();
      return;
    } catch (error) {
      if (!running.isAlive || Date.now() > deadline) {
        throw new Error(`it printed:\n${running.output}`, { cause: error });
      }
      await pause(100);
    }
  }
}

const sealed = (name: string, peer: BulkBenchmark['peer']): BulkBenchmark => ({
  name,
  unit: 'Gbit/s',
  atLeast: 5,
  moreIsBetter: true,
  wideplane: startWideplaneSealed,
  peer,
  wire: true,
});

export const SEALED_BENCHMARKS: readonly BulkBenchmark[] = [
  sealed('esp-udp-tcp-vs-strongswan', { name: 'strongswan', startEnd: startStrongSwanEnd }),
  sealed('esp-udp-tcp-vs-wireguard-go', { name: 'wireguard-go', startEnd: startWireguardGoEnd }),
];
