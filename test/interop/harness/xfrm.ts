// A Linux kernel's IPsec (xfrm) as the other gateway, with manual keys: states and policies from the same description as those of
// our side (ipsec-pair.ts).
//
// What Linux needs to be told so that it speaks as the RFCs have it, or to be left to work at all (docs/interop/linux-ipsec.md):
//   - AH over IPv4 is padded to 4 octets only with `flag align4`
//   - a tunnel carries the other IP version only with `flag af-unspec`
//   - IPComp is a state of its own in the mode of the whole, in front of ESP in mode transport; its SPI is the CPI
//   - neighbour discovery between protected addresses is exempted, and UDP encapsulation where everything else is protected
//   - UDP encapsulation comes in by a socket that somebody holds open

import type { Host } from './host.ts';
import { gateway, type IpsecSetup, NETWORK, other, type Side, SPIS } from './ipsec-pair.ts';

/** The CPI of DEFLATE (RFC 3173, section 3.3). */
const CPI_DEFLATE = 2;
const REQUEST = { out: 1, in: 2 } as const;

const MACS: Readonly<Record<string, string>> = {
  sha1: `auth-trunc 'hmac(sha1)' KEY 96`,
  sha256: `auth-trunc 'hmac(sha256)' KEY 128`,
  sha384: `auth-trunc 'hmac(sha384)' KEY 192`,
  sha512: `auth-trunc 'hmac(sha512)' KEY 256`,
};

/** The algorithms of the state by which `from` sends, in the words of `ip xfrm state add`. */
function algorithms(setup: IpsecSetup, from: Side): string {
  const { protocol = 'esp', auth, encrypt } = setup;
  const authKey = setup.authKeys?.[from] ?? setup.authKey ?? '';
  const encryptKey = setup.encryptKeys?.[from] ?? setup.encryptKey ?? '';
  if (auth.startsWith('aes-gcm')) return `aead 'rfc4106(gcm(aes))' ${encryptKey} 128`;
  if (auth.startsWith('aes-gmac')) return `aead 'rfc4543(gcm(aes))' ${encryptKey} 128`;
  const mac = MACS[auth]!.replace('KEY', authKey);
  if (protocol === 'ah') return mac;
  if (encrypt === 'null') return `enc 'ecb(cipher_null)' '' ${mac}`;
  return `enc '${encrypt === '3des' ? 'cbc(des3_ede)' : 'cbc(aes)'}' ${encryptKey} ${mac}`;
}

/** Flags and replay window of a state. */
function extras({ protocol, mode, outer = 4, inner = 4, extended, replayWindow = 0 }: IpsecSetup): string {
  const flags = [
    ...(protocol === 'ah' && outer === 4 ? ['align4'] : []),
    ...(mode !== 'transport' && outer !== inner ? ['af-unspec'] : []),
    ...(extended === true ? ['esn'] : []),
  ];
  const window = replayWindow === 0 ? '' : `replay-window ${replayWindow}`;
  return `${window} ${flags.length === 0 ? '' : `flag ${flags.join(' flag ')}`}`;
}

/** The commands that make a kernel the gateway of a side, instead of whatever IPsec it had. */
export function xfrmCommands(side: Side, setup: IpsecSetup): string[] {
  const { protocol = 'esp', mode = 'tunnel', outer = 4, inner = 4, spis = SPIS, compress = false, udpPort } = setup;
  const commands = ['ip xfrm state flush', 'ip xfrm policy flush'];
  for (const way of ['out', 'in'] as const) {
    const from = way === 'out' ? side : other(side);
    const to = other(from);
    const ends = `src ${gateway(from, outer)} dst ${gateway(to, outer)}`;
    const request = `reqid ${REQUEST[way]}`;
    const isInside = compress && mode === 'tunnel';
    const encapsulation = udpPort === undefined ? '' : `encap espinudp ${udpPort} ${udpPort} 0.0.0.0`;
    // With IPComp the tunnel is that of the state in front.
    const ownMode = isInside ? 'transport' : mode;
    const own = isInside ? { ...setup, mode: ownMode, inner: outer } : setup;
    commands.push(
      `ip xfrm state add ${ends} proto ${protocol} spi ${spis[from]} ${request} mode ${ownMode} ` +
        `${extras(own)} ${algorithms(setup, from)} ${encapsulation}`,
    );
    if (compress) {
      const unspecified = mode === 'tunnel' && outer !== inner ? 'flag af-unspec' : '';
      commands.push(
        `ip xfrm state add ${ends} proto comp spi ${CPI_DEFLATE} ${request} mode ${mode} ${unspecified} comp deflate`,
      );
    }
    const compression = compress
      ? `tmpl ${ends} proto comp ${request} mode ${mode} ${way === 'in' ? 'level use' : ''}`
      : '';
    const template = `${compression} tmpl ${ends} proto ${protocol} ${request} mode ${ownMode}`;
    const [source, destination] =
      mode === 'tunnel' ? [NETWORK[inner][from], NETWORK[inner][to]] : [gateway(from, outer), gateway(to, outer)];
    const upper = setup.only === undefined ? '' : `proto ${setup.only}`;
    const selector = `src ${source} dst ${destination}`;
    commands.push(`ip xfrm policy add ${selector} ${upper} dir ${way} priority 10 ${template}`);
    if (mode === 'tunnel') continue;
    const exempt = (what: string): string =>
      `ip xfrm policy add ${selector} ${what} dir ${way} priority 1 action allow`;
    // Neighbour solicitations and advertisements, of ICMPv6.
    if (outer === 6) commands.push(exempt('proto 58 type 135'), exempt('proto 58 type 136'));
    if (udpPort !== undefined) commands.push(exempt(`proto 17 sport ${udpPort} dport ${udpPort}`));
  }
  return commands;
}

export async function setXfrm(host: Host, side: Side, setup: IpsecSetup): Promise<void> {
  await host.run(['sh', '-c', ['set -e', ...xfrmCommands(side, setup)].join('\n')]);
}

/** Holds a socket open that takes ESP behind UDP, of each IP version (UDP_ENCAP, UDP_ENCAP_ESPINUDP: linux/udp.h). */
export async function openEncapsulation(host: Host, port: number): Promise<void> {
  // Before it is bound: socat sets other options only on sockets that are connected.
  const option = 'setsockopt-listen=17:100:x02000000';
  const listeners = [`UDP4-RECV:${port},${option}`, `UDP6-RECV:${port},ipv6only=1,${option}`];
  const commands = listeners.map((from) => `socat -u ${from} OPEN:/dev/null >/dev/null 2>&1 &`);
  await host.run(['sh', '-c', commands.join('\n')]);
}

export type XfrmCounters = {
  /** Of the states, by SPI: packets that went through, that came a second time or too late, and with a wrong ICV. */
  states: Map<number, { packets: number; replayed: number; failed: number }>;
  /** The counters of /proc/net/xfrm_stat that are not 0. */
  errors: Record<string, number>;
};

/** What the kernel says of its states, and what went wrong with packets. */
export const describeXfrm = (host: Host): Promise<string> =>
  host.run(['sh', '-c', 'ip -s xfrm state; cat /proc/net/xfrm_stat']);

export async function readXfrm(host: Host): Promise<XfrmCounters> {
  const text = await describeXfrm(host);
  const states: XfrmCounters['states'] = new Map();
  for (const block of text.split(/^src /m)) {
    const spi = /proto (?:esp|ah) spi 0x([0-9a-f]+)/.exec(block)?.[1];
    if (spi === undefined) continue;
    const packets = Number(/lifetime current:\s+\d+\(bytes\), (\d+)\(packets\)/.exec(block)?.[1]);
    const [, replayed, failed] = /replay-window \d+ replay (\d+) failed (\d+)/.exec(block) ?? [];
    states.set(Number.parseInt(spi, 16), { packets, replayed: Number(replayed), failed: Number(failed) });
  }
  const errors: Record<string, number> = {};
  for (const [, name, count] of text.matchAll(/^(Xfrm\w+)\s+(\d+)$/gm))
    if (count !== '0') errors[name!] = Number(count);
  return { states, errors };
}
