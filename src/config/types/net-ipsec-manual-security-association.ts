// `net ipsec manual-security-association`: keys for one direction that both sides have been given by hand.

import { isLimitedBroadcast, isMulticast, isUnspecified, parseAddress } from '../../core/address.ts';
import { AUTH_ALGORITHMS, ENCRYPT_ALGORITHMS } from '../ipsec-algorithms.ts';
import { hostAddress, key, udpPorts } from '../ipsec-kinds.ts';
import { type IpsecKeys, keysOf } from '../ipsec-keys.ts';
import { choice, integer, reference, string, toggle } from '../kinds.ts';
import { type CheckContext, objectType, type ObjectOf } from '../object-type.ts';
import { remembered } from '../remembered.ts';
import type { ObjectContext } from '../remembered.ts';
import { sealSecret } from '../secret-box.ts';
import { netIpsecIpsecPolicy } from './net-ipsec-ipsec-policy.ts';
import { netIpsecTrafficSelector } from './net-ipsec-traffic-selector.ts';

/** Associations that there may be: those that a daemon makes at run time count as well. */
export const MAX_ASSOCIATIONS = 16_384;

export const netIpsecManualSecurityAssociation = objectType({
  path: 'net ipsec manual-security-association',
  label: 'Manual security association',
  help: 'Keys for one direction between two ends, which both sides have been given by hand.',
  example: `
net ipsec ipsec-policy to-branch {
    mode tunnel
    tunnel-local-address 192.0.2.1
    tunnel-remote-address 198.51.100.1
}
net ipsec manual-security-association branch-out {
    auth-algorithm aes-gcm128
    destination-address 198.51.100.1
    encrypt-algorithm aes-gcm128
    encrypt-key "20 octets and a salt"
    ipsec-policy to-branch
    source-address 192.0.2.1
    spi 4096
}
`,
  naming: 'full-path',
  sync: 'device-group',
  properties: {
    'auth-algorithm': choice(AUTH_ALGORITHMS, {
      default: 'sha1',
      help: 'How packets are authenticated. aes-gcm authenticates what it encrypts: encrypt-algorithm is the same then.',
      onChange: 'rebuild',
    }),
    'auth-key': key({
      help: 'Its key, exactly as long as the algorithm wants it: 20 octets for sha1, 32 for sha256, 48 for sha384, 64 for sha512.',
      onChange: 'rebuild',
    }),
    description: string({ help: 'Text for people.' }),
    'destination-address': hostAddress({
      required: true,
      help: 'Where the packets are sent to: the tunnel-remote-address of the policy.',
      onChange: 'rebuild',
    }),
    'encrypt-algorithm': choice(ENCRYPT_ALGORITHMS, {
      required: true,
      help: 'How packets are encrypted; null: not at all, as with protocol ah.',
      onChange: 'rebuild',
    }),
    'encrypt-key': key({
      help:
        'Its key: 24 octets for 3des, 16, 24 or 32 for aes128, aes192 and aes256. aes-gcm and aes-gmac have one key, here or in ' +
        'auth-key, with the salt of 4 octets behind it: 20, 28 or 36 octets. No two associations should have the same: two ends that send by ' +
        'one key may use a nonce twice (RFC 4106, section 2). It is taken with a warning, as a BIG-IP takes it, because what this ' +
        'device sends by such a key is numbered through over all its associations, and so never meets itself.',
      onChange: 'rebuild',
    }),
    'extended-sequence-numbers': toggle({
      default: false,
      help:
        'Whether sequence numbers have 64 bits (RFC 4303, section 2.2.1). Both sides must say the same, and the one that receives ' +
        'needs a replay window.',
      extension: true,
      onChange: 'rebuild',
    }),
    'ipsec-policy': reference([netIpsecIpsecPolicy], {
      required: true,
      help: 'The policy that the association serves: its protocol, mode and addresses count.',
      onChange: 'rebuild',
    }),
    protocol: choice(['esp', 'ah'], { default: 'esp', help: 'That of the policy.', onChange: 'rebuild' }),
    'replay-window-size': integer(
      { min: 0, max: 4096 },
      {
        default: 0,
        help: 'Packets that may come late; what came before or is older is dropped. Rounded up to a multiple of 32; 0: no check.',
        extension: true,
        onChange: 'rebuild',
      },
    ),
    'source-address': hostAddress({
      required: true,
      help: 'Where the packets are sent from: the tunnel-local-address of the policy.',
      onChange: 'rebuild',
    }),
    spi: integer(
      { min: 256, max: 4294967295 },
      {
        required: true,
        help: 'The security parameters index, by which the side that receives knows the association.',
        onChange: 'rebuild',
      },
    ),
    'udp-encapsulation': udpPorts({
      default: 'none',
      help: 'The UDP ports that packets are sent from and to, behind address translation (RFC 3948); none: without UDP.',
      extension: true,
      onChange: 'rebuild',
    }),
  },
  check(objects, context) {
    const taken = new Map<string, string>();
    const owners = new Map<string, ManualSecurityAssociation>();
    const surplus = objects[MAX_ASSOCIATIONS];
    if (surplus !== undefined) {
      const text = `there may be ${MAX_ASSOCIATIONS} of them, not ${objects.length}.`;
      context.error(surplus, `Manual security association (${surplus.name}): ${text}`, {
        hint: 'Delete some that are not needed.',
      });
    }
    for (const object of objects) {
      const { nonceKey } = checkAssociation(object, context);
      if (nonceKey !== undefined) warnOfNonces(object, owners.get(nonceKey), context);
      if (nonceKey !== undefined && !owners.has(nonceKey)) owners.set(nonceKey, object);
      const { spi, protocol, 'destination-address': destination } = object.properties;
      const place = `${protocol} ${destination} ${spi}`;
      const twin = taken.get(place);
      taken.set(place, twin ?? object.name);
      if (twin === undefined) continue;
      const text = `${spi} to ${destination} belongs to Manual security association (${twin}).`;
      context.error(object, `Manual security association (${object.name}): spi ${text}`, {
        property: 'spi',
        value: String(spi),
        hint: 'Choose another spi, on both sides.',
      });
    }
    warnOfHalves(objects, context);
  },
});

export type ManualSecurityAssociation = ObjectOf<typeof netIpsecManualSecurityAssociation>;

/** `nonceKey`: stands for the key of a cipher that must see no nonce twice; the same for the same key with the same salt. */
const checkAssociation = remembered((object: ManualSecurityAssociation, context): { nonceKey: string | undefined } => {
  const { properties, name } = object;
  const refuse = (property: string, value: string, text: string, hint: string): void =>
    context.error(object, `Manual security association (${name}): ${text}`, { property, value, hint });
  const keys = keysOf(properties);
  if ('problem' in keys) {
    // The value may be a key: it is left out.
    const { property, problem, hint } = keys;
    context.error(object, `Manual security association (${name}): ${property}: ${problem}.`, { property, hint });
  }
  if (properties['extended-sequence-numbers'] && properties['replay-window-size'] === 0) {
    const text =
      'extended-sequence-numbers enabled needs a replay-window-size above 0, which says what the upper half is.';
    refuse('replay-window-size', '0', text, 'Write replay-window-size 64.');
  }
  if (properties['udp-encapsulation'] !== 'none' && properties.protocol === 'ah') {
    const text =
      'udp-encapsulation does not go with protocol ah, which authenticates the addresses that are translated.';
    refuse('udp-encapsulation', properties['udp-encapsulation'], text, 'Choose protocol esp.');
  }
  checkEnds(object, refuse);
  checkPolicy(object, context, refuse);
  return { nonceKey: 'problem' in keys ? undefined : nonceKeyOf(keys) };
});

/** Its sealed text, in one of the ways to write it: what is kept of it shows nothing. */
function nonceKeyOf({ algorithms, key }: IpsecKeys): string | undefined {
  if (algorithms.mac !== 'none') return undefined;
  return sealSecret(`0x${[...key].map((octet) => octet.toString(16).padStart(2, '0')).join('')}`);
}

/** Two associations of one key: what we send by both has numbers of its own, but the other end counts for itself. */
function warnOfNonces(
  object: ManualSecurityAssociation,
  twin: ManualSecurityAssociation | undefined,
  context: CheckContext,
): void {
  if (twin === undefined) return;
  const { 'auth-algorithm': algorithm, 'encrypt-key': encrypt } = object.properties;
  const property = encrypt === undefined ? 'auth-key' : 'encrypt-key';
  const text =
    `${property} is also that of Manual security association (${twin.name}): where both ends send by one key of ${algorithm}, a nonce ` +
    'may come twice, which gives the key away (RFC 4106, section 2).';
  context.warn(object, `Manual security association (${object.name}): ${text}`, {
    property,
    hint: 'Give each association a key of its own, on both sides.',
  });
}

type Refuse = (property: string, value: string, text: string, hint: string) => void;

function checkEnds({ properties }: ManualSecurityAssociation, refuse: Refuse): void {
  const { 'source-address': sourceText, 'destination-address': destinationText } = properties;
  const source = parseAddress(sourceText)!;
  const destination = parseAddress(destinationText)!;
  for (const [property, text, address] of [
    ['source-address', sourceText, source],
    ['destination-address', destinationText, destination],
  ] as const) {
    if (isUnspecified(address) || isMulticast(address) || isLimitedBroadcast(address)) {
      refuse(property, text, `${property} ${text} is not the address of a host.`, 'Name one end of the association.');
      return;
    }
  }
  if (source.family !== destination.family || source.routeDomain !== destination.routeDomain) {
    const what = source.family === destination.family ? 'route domain' : 'IP version';
    const text = `destination-address ${destinationText} has another ${what} than source-address ${sourceText}.`;
    refuse('destination-address', destinationText, text, `Both ends share the ${what}.`);
  } else if (sourceText === destinationText) {
    refuse(
      'destination-address',
      destinationText,
      `destination-address ${destinationText} is the source-address.`,
      'Name the other end.',
    );
  }
}

/** What the policy says counts for the association; in modes with two gateways these are its ends, one way or the other. */
function checkPolicy({ properties }: ManualSecurityAssociation, context: ObjectContext, refuse: Refuse): void {
  const policy = context.find(netIpsecIpsecPolicy, properties['ipsec-policy']);
  if (policy === undefined) return;
  const { protocol, mode, 'tunnel-local-address': local, 'tunnel-remote-address': remote } = policy.properties;
  if (protocol !== properties.protocol) {
    const text = `protocol ${properties.protocol} is not that of IPsec policy (${policy.name}), ${protocol}.`;
    refuse('protocol', properties.protocol, text, `Write protocol ${protocol}, or name another policy.`);
  }
  if (mode !== 'tunnel') return;
  const { 'source-address': source, 'destination-address': destination } = properties;
  if ((source === local && destination === remote) || (source === remote && destination === local)) return;
  const text = `its ends ${source} and ${destination} are not those of IPsec policy (${policy.name}), ${local} and ${remote}.`;
  const hint =
    'source-address is the tunnel-local-address of the policy, destination-address its tunnel-remote-address.';
  refuse('source-address', source, text, hint);
}

/** Where a selector is of both directions, its policy needs an association for each. */
function warnOfHalves(objects: readonly ManualSecurityAssociation[], context: CheckContext): void {
  const ways = new Map<string, { ways: Set<string>; object: ManualSecurityAssociation }>();
  for (const object of objects) {
    const { 'ipsec-policy': policy, 'source-address': source } = object.properties;
    const known = ways.get(policy) ?? { ways: new Set(), object };
    known.ways.add(source);
    ways.set(policy, known);
  }
  for (const { name: selector, properties } of context.all(netIpsecTrafficSelector)) {
    const policy = properties['ipsec-policy'];
    const found = properties.direction === 'both' ? ways.get(policy) : undefined;
    if (found === undefined || found.ways.size > 1) continue;
    const { 'source-address': source, 'destination-address': destination } = found.object.properties;
    const text = `Traffic selector (${selector}) is of both directions, but its IPsec policy (${policy}) has keys only from ${source} to ${destination}.`;
    context.warn(found.object, `Manual security association (${found.object.name}): ${text}`, {
      property: 'ipsec-policy',
      value: policy,
      hint: `Add an association from ${destination} to ${source}, or give each direction a selector and a policy of its own.`,
    });
  }
}
