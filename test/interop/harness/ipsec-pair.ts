// Two gateways of ours with a host behind each, and IPsec between them.
//
//   host-a ── e1 [ site-a ] e0 ──── wan ──── e0 [ site-b ] e1 ── host-b
//   10.1.0.10   10.1.0.1   192.0.2.1        192.0.2.2   10.2.0.1   10.2.0.20
//   2001:db8:a::10         2001:db8:f::1    2001:db8:f::2           2001:db8:b::20

import { connect, Namespace } from './namespace.ts';
import { Wideplane } from './wideplane.ts';

export const HOST = { a: '10.1.0.10', b: '10.2.0.20' } as const;
export const HOST6 = { a: '2001:db8:a::10', b: '2001:db8:b::20' } as const;
export const GATEWAY = { a: '192.0.2.1', b: '192.0.2.2' } as const;
export const GATEWAY6 = { a: '2001:db8:f::1', b: '2001:db8:f::2' } as const;

export type Side = 'a' | 'b';
export const other = (side: Side): Side => (side === 'a' ? 'b' : 'a');

export type IpsecSetup = {
  protocol?: 'esp' | 'ah';
  mode?: 'tunnel' | 'transport';
  auth: string;
  authKey?: string;
  encrypt: string;
  encryptKey?: string;
  /** Instead of one for both ways: that of the packets which each side sends. */
  authKeys?: Readonly<Record<Side, string>>;
  encryptKeys?: Readonly<Record<Side, string>>;
  /** IP version of the gateways, and of what is protected in mode tunnel. */
  outer?: 4 | 6;
  inner?: 4 | 6;
  /** More properties of the policy and of the associations. */
  policy?: string;
  association?: string;
  /** Instead of the networks behind the gateways in mode tunnel: packets of the gateways themselves. */
  protects?: 'gateways';
  /** More properties of the selectors. */
  selector?: string;
  /** IPComp, where it makes packets smaller. */
  compress?: boolean;
  /** Packets that may come late; 0, the default: replays are not looked for. */
  replayWindow?: number;
  /** Extended sequence numbers. */
  extended?: boolean;
  /** The port of UDP encapsulation, if any. */
  udpPort?: number;
  /** Mode transport: the one IP protocol that is protected. Default: all. */
  only?: number;
  spis?: Readonly<Record<Side, number>>;
};

export const SPIS = { a: 0x1001, b: 0x2002 } as const;
export const NETWORK = {
  4: { a: '10.1.0.0/16', b: '10.2.0.0/16' },
  6: { a: '2001:db8:a::/64', b: '2001:db8:b::/64' },
} as const;

/** Address of a side's gateway. */
export const gateway = (side: Side, version: 4 | 6): string => (version === 4 ? GATEWAY : GATEWAY6)[side];

/** Interfaces, self IPs and routes of a side. */
export function network(side: Side): string {
  const net = side === 'a' ? '10.1.0' : '10.2.0';
  const far = other(side);
  return `
net interface 1.1 { device e0 }
net interface 1.2 { device e1 }
net vlan wan { interfaces { 1.1 { untagged } } tag 4094 }
net vlan inside { interfaces { 1.2 { untagged } } tag 10 }
net self wan4 { address ${GATEWAY[side]}/24 vlan wan allow-service none }
net self wan6 { address ${GATEWAY6[side]}/64 vlan wan allow-service none }
net self inside4 { address ${net}.1/24 vlan inside allow-service none }
net self inside6 { address 2001:db8:${side}::1/64 vlan inside allow-service none }
net route far4 { network ${NETWORK[4][far]} gw ${GATEWAY[far]} }
net route far6 { network ${NETWORK[6][far]} gw ${GATEWAY6[far]} }
`;
}

/** Policies, associations and selectors of a side, as the manual keys of two one-way halves. */
export function ipsec(side: Side, setup: IpsecSetup): string {
  const { outer = 4, inner = 4, mode = 'tunnel', spis = SPIS } = setup;
  return (['out', 'in'] as const)
    .map((way) => {
      const from = way === 'out' ? side : other(side);
      const to = other(from);
      const [source, destination] = [gateway(from, outer), gateway(to, outer)];
      const ends =
        mode === 'tunnel' && setup.protects === undefined
          ? [NETWORK[inner][from], NETWORK[inner][to]]
          : [source, destination];
      const authKey = setup.authKeys?.[from] ?? setup.authKey;
      const encryptKey = setup.encryptKeys?.[from] ?? setup.encryptKey;
      const keys = [
        authKey === undefined ? '' : `auth-key "${authKey}"`,
        encryptKey === undefined ? '' : `encrypt-key "${encryptKey}"`,
      ];
      const window = setup.replayWindow === undefined ? '' : `replay-window-size ${setup.replayWindow}`;
      const extended = setup.extended === true ? 'extended-sequence-numbers enabled' : '';
      const udp = setup.udpPort === undefined ? '' : `udp-encapsulation ${setup.udpPort}`;
      const ipcomp = setup.compress === true ? 'ipcomp deflate' : '';
      const only = setup.only === undefined ? '' : `ip-protocol ${setup.only}`;
      const tunnelEnds = mode === 'tunnel' ? `tunnel-local-address ${source} tunnel-remote-address ${destination}` : '';
      return `
net ipsec ipsec-policy p-${way} { mode ${mode} protocol ${setup.protocol ?? 'esp'} ${tunnelEnds} ${ipcomp} ${setup.policy ?? ''} }
net ipsec manual-security-association sa-${way} {
    auth-algorithm ${setup.auth} encrypt-algorithm ${setup.encrypt} ${keys.join(' ')}
    source-address ${source} destination-address ${destination} spi ${spis[from]} ipsec-policy p-${way}
    protocol ${setup.protocol ?? 'esp'} ${window} ${extended} ${udp} ${setup.association ?? ''}
}
net ipsec traffic-selector ts-${way} {
    source-address ${ends[0]} destination-address ${ends[1]} direction ${way} ipsec-policy p-${way} order 10 ${only}
    ${setup.selector ?? ''}
}
`;
    })
    .join('');
}

/** All that a wideplane has dropped, by reason, whatever it is charged to. */
export async function dropsOf(wideplane: Wideplane): Promise<Record<string, number>> {
  const types = ['net tunnels tunnel', 'net ipsec traffic-selector', 'net ipsec manual-security-association'];
  const rows = (await Promise.all(types.map((type) => wideplane.show(type)))).flat();
  const total: Record<string, number> = {};
  for (const { drops = {} } of rows) {
    for (const [reason, count] of Object.entries(drops)) total[reason] = (total[reason] ?? 0) + count;
  }
  return total;
}

/** What has been dropped between two looks. */
export function dropsSince(
  before: Readonly<Record<string, number>>,
  after: Readonly<Record<string, number>>,
): Record<string, number> {
  const grown = Object.entries(after).map(([reason, count]) => [reason, count - (before[reason] ?? 0)] as const);
  return Object.fromEntries(grown.filter(([, count]) => count !== 0));
}

export class IpsecPair {
  readonly sites: Readonly<Record<Side, Namespace>>;
  readonly hosts: Readonly<Record<Side, Namespace>>;
  readonly wideplanes: Readonly<Record<Side, Wideplane>>;

  private constructor(
    sites: Record<Side, Namespace>,
    hosts: Record<Side, Namespace>,
    wideplanes: Record<Side, Wideplane>,
  ) {
    this.sites = sites;
    this.hosts = hosts;
    this.wideplanes = wideplanes;
  }

  /** `more`: of the configuration of a side, behind its network. */
  static async start(
    more: (side: Side) => string,
    options: { offloads?: boolean; network?: (side: Side) => string } = {},
  ): Promise<IpsecPair> {
    const base = options.network ?? network;
    const sites = { a: await Namespace.create('site-a'), b: await Namespace.create('site-b') };
    const hosts = { a: await Namespace.create('host-a'), b: await Namespace.create('host-b') };
    await connect([sites.a, 'e0'], [sites.b, 'e0']);
    for (const side of ['a', 'b'] as const) {
      await connect([hosts[side], 'e0'], [sites[side], 'e1'], { offloads: options.offloads ?? false });
      const net = side === 'a' ? '10.1.0' : '10.2.0';
      await hosts[side].addAddress('e0', `${HOST[side]}/24`, `${HOST6[side]}/64`);
      for (const via of [`${net}.1`, `2001:db8:${side}::1`]) {
        await hosts[side].ip('route', 'add', 'default', 'via', via, 'dev', 'e0');
      }
    }
    const a = await Wideplane.start(sites.a, base('a') + more('a'));
    const b = await Wideplane.start(sites.b, base('b') + more('b'));
    return new IpsecPair(sites, hosts, { a, b });
  }

  async stop(): Promise<void> {
    await this.wideplanes.a.stop();
    await this.wideplanes.b.stop();
  }
}
