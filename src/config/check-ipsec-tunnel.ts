// Checks of a tunnel with an IPsec profile against the policy that its traffic selector names.

import { isUnspecified, parseAddressOrAny } from '../core/address.ts';
import type { AnyConfigObject } from './object-type.ts';
import type { ObjectContext } from './remembered.ts';
import type { Encapsulation } from './tunnel-keys.ts';
import { netIpsecIpsecPolicy } from './types/net-ipsec-ipsec-policy.ts';
import { netIpsecTrafficSelector } from './types/net-ipsec-traffic-selector.ts';

export type TunnelEnds = AnyConfigObject & {
  readonly properties: {
    readonly profile: string;
    readonly 'local-address': string;
    readonly 'remote-address': string;
  };
};

export function checkIpsecTunnel(tunnel: TunnelEnds, { selector: name }: Encapsulation, context: ObjectContext): void {
  if (name === undefined) return;
  const { profile, 'local-address': local, 'remote-address': remote } = tunnel.properties;
  const refuse = (property: string, value: string, text: string, hint: string): void =>
    context.error(tunnel, `Tunnel (${tunnel.name}): ${text}`, { property, value, hint });
  if (isUnspecified(parseAddressOrAny(remote)!)) {
    refuse(
      'remote-address',
      remote,
      `a tunnel with an IPsec profile has one other end, not ${remote}.`,
      'Name the other end.',
    );
  }
  const selector = context.find(netIpsecTrafficSelector, name);
  const policy = selector && context.find(netIpsecIpsecPolicy, selector.properties['ipsec-policy']);
  if (selector === undefined || policy === undefined) return;
  const { mode, 'tunnel-local-address': policyLocal, 'tunnel-remote-address': policyRemote } = policy.properties;
  if (mode !== 'interface') {
    const text = `profile (${profile}) leads to IPsec policy (${policy.name}) of mode ${mode}, but it takes one of mode interface.`;
    refuse('profile', profile, text, 'Name a traffic selector whose policy has mode interface in the profile.');
    return;
  }
  for (const [property, own, wanted] of [
    ['local-address', local, policyLocal],
    ['remote-address', remote, policyRemote],
  ] as const) {
    if (own === wanted || isUnspecified(parseAddressOrAny(wanted)!)) continue;
    const text = `${property} ${own} is not the tunnel-${property} of IPsec policy (${policy.name}), ${wanted}.`;
    refuse(property, own, text, `Write the same in both, or tunnel-${property} any6 in the policy.`);
  }
}
