// `net ipsec ipsec-policy`: how packets of a traffic selector are protected (RFC 4301).

import { isLimitedBroadcast, isMulticast, isUnspecified, parseAddressOrAny } from '../../core/address.ts';
import { AUTH_ALGORITHMS, ENCRYPT_ALGORITHMS, pairOf } from '../ipsec-algorithms.ts';
import { addressOrAny, choice, integer, string } from '../kinds.ts';
import { objectType } from '../object-type.ts';
import type { ObjectOf } from '../object-type.ts';
import { remembered } from '../remembered.ts';

export const netIpsecIpsecPolicy = objectType({
  path: 'net ipsec ipsec-policy',
  label: 'IPsec policy',
  help: 'How packets of a traffic selector are protected.',
  example: `
net ipsec ipsec-policy to-branch {
    ike-phase2-auth-algorithm aes-gcm256
    ike-phase2-encrypt-algorithm aes-gcm256
    mode tunnel
    tunnel-local-address 192.0.2.1
    tunnel-remote-address 198.51.100.1
}
`,
  naming: 'full-path',
  sync: 'device-group',
  builtIn: {
    '/Common/default-ipsec-policy': {},
    '/Common/default-ipsec-policy-interface': { mode: 'interface' },
    '/Common/default-ipsec-policy-isession': { mode: 'isession' },
  },
  properties: {
    description: string({ help: 'Text for people.' }),
    df: choice(['copy', 'set', 'clear'], {
      default: 'copy',
      help:
        "Don't Fragment of the outer IPv4 header in modes tunnel and interface: that of the packet inside, set, or clear " +
        '(RFC 4301, section 8.1).',
      extension: true,
    }),
    'ike-phase2-auth-algorithm': choice(AUTH_ALGORITHMS, {
      default: 'aes-gcm128',
      help: 'How packets are authenticated whose keys IKE negotiates. aes-gcm and aes-gmac need the same word as the encryption.',
    }),
    'ike-phase2-encrypt-algorithm': choice(ENCRYPT_ALGORITHMS, {
      default: 'aes-gcm128',
      help: 'How packets are encrypted whose keys IKE negotiates.',
    }),
    'ike-phase2-lifetime': integer(
      { min: 1, max: 71_582_788 },
      { default: 1440, help: 'Minutes after which security associations that IKE has negotiated end.' },
    ),
    'ike-phase2-lifetime-kilobytes': integer(
      { min: 0, max: 4294967295 },
      { default: 0, help: 'Kilobytes after which they end; 0: any number.' },
    ),
    'ike-phase2-perfect-forward-secrecy': choice(
      ['none', 'modp768', 'modp1024', 'modp1536', 'modp2048', 'modp3072', 'modp4096', 'modp6144', 'modp8192'],
      { default: 'none', help: 'The Diffie-Hellman group of an exchange of their own for the keys.' },
    ),
    ipcomp: choice(['none', 'null', 'deflate'], {
      default: 'none',
      help: 'Whether packets are compressed before they are encrypted (RFC 3173), where that makes them smaller; null: as none.',
      onChange: 'rebuild',
    }),
    mode: choice(['transport', 'tunnel', 'interface', 'isession'], {
      default: 'transport',
      help:
        'What is protected: transport, what a packet carries, between two hosts; tunnel, whole packets, between two gateways; ' +
        'interface, whole packets that are routed into a tunnel with an IPsec profile; isession is kept, but has no effect.',
      onChange: 'rebuild',
    }),
    protocol: choice(['esp', 'ah'], {
      default: 'esp',
      help: 'esp, which encrypts and authenticates (RFC 4303), or ah, which authenticates outer headers too (RFC 4302).',
      onChange: 'rebuild',
    }),
    'tunnel-local-address': addressOrAny({
      default: 'any6',
      help:
        'Mode tunnel: the address that packets are sent from. Of a policy for what comes in with manual keys that is the ' +
        'address of the other gateway. Mode interface: that of the tunnel, or any.',
      onChange: 'rebuild',
    }),
    'tunnel-remote-address': addressOrAny({
      default: 'any6',
      help: 'The address that they are sent to.',
      onChange: 'rebuild',
    }),
  },
  check(objects, context) {
    for (const object of objects) checkPolicy(object, context);
  },
});

export type IpsecPolicy = ObjectOf<typeof netIpsecIpsecPolicy>;

const checkPolicy = remembered((object: IpsecPolicy, context) => {
  const { mode, protocol, ipcomp } = object.properties;
  const refuse = (property: string, value: string, text: string, hint: string): void =>
    context.error(object, `IPsec policy (${object.name}): ${text}`, { property, value, hint });
  if (mode === 'interface' && protocol === 'ah') {
    refuse(
      'protocol',
      protocol,
      'mode interface does not go with protocol ah.',
      'Choose protocol esp, or mode tunnel.',
    );
  }
  if (mode === 'interface' && ipcomp === 'deflate') {
    refuse('ipcomp', ipcomp, 'mode interface does not go with ipcomp deflate.', 'Choose ipcomp none, or mode tunnel.');
  }
  if (mode === 'isession' && object.name !== '/Common/default-ipsec-policy-isession') {
    context.warn(object, `IPsec policy (${object.name}): mode isession is kept, but has no effect in this version.`, {
      property: 'mode',
      value: mode,
    });
  }
  if (protocol === 'esp') {
    const { 'ike-phase2-auth-algorithm': auth, 'ike-phase2-encrypt-algorithm': encrypt } = object.properties;
    const pair = pairOf(protocol, auth, encrypt);
    if ('problem' in pair) {
      const property = `ike-phase2-${pair.property}-algorithm`;
      refuse(property, pair.property === 'auth' ? auth : encrypt, `${property}: ${pair.problem}.`, pair.hint);
    }
  }
  checkEnds(object, refuse);
});

function checkEnds(
  { properties }: IpsecPolicy,
  refuse: (property: string, value: string, text: string, hint: string) => void,
): void {
  const { mode, 'tunnel-local-address': localText, 'tunnel-remote-address': remoteText } = properties;
  const ends = [
    { property: 'tunnel-local-address', text: localText, address: parseAddressOrAny(localText)! },
    { property: 'tunnel-remote-address', text: remoteText, address: parseAddressOrAny(remoteText)! },
  ];
  for (const { property, text, address } of ends) {
    if (mode === 'tunnel' && isUnspecified(address)) {
      const hint = 'Name both gateways. On the side that receives, the local address is that of the other gateway.';
      refuse(property, text, `mode tunnel needs an address as ${property}, not ${text}.`, hint);
      return;
    }
    if (isMulticast(address) || isLimitedBroadcast(address)) {
      refuse(property, text, `${property} ${text} is a group.`, 'Name a host.');
      return;
    }
  }
  const [local, remote] = [ends[0]!.address, ends[1]!.address];
  if (isUnspecified(local) || isUnspecified(remote)) return;
  if (local.family !== remote.family || local.routeDomain !== remote.routeDomain) {
    const what = local.family === remote.family ? 'route domain' : 'IP version';
    const text = `tunnel-remote-address ${remoteText} has another ${what} than tunnel-local-address ${localText}.`;
    refuse(
      'tunnel-remote-address',
      remoteText,
      text,
      `Both gateways share the ${what}; what is inside may be of either version.`,
    );
  } else if (localText === remoteText) {
    const text = `tunnel-remote-address ${remoteText} is the tunnel-local-address.`;
    refuse('tunnel-remote-address', remoteText, text, 'Name the other gateway.');
  }
}
