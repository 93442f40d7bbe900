// Security associations that a daemon of key exchange has made: they stand beside those of the configuration for as long as this
// process lives, their policy is there, and nobody deletes them. Their keys are on no disk; who has made them makes new ones after
// a restart.

import { type AddressWords, formatAddress, type IpAddress, parseAddress } from '../../core/address.ts';
import { keysOf, type OpenKeyProperties } from '../../config/ipsec-keys.ts';
import { MAX_ASSOCIATIONS } from '../../config/types/net-ipsec-manual-security-association.ts';
import { IpcError } from '../../ipc/ipc-error.ts';
import type { NewAssociation } from '../../ipc/ipsec-daemon-schema.ts';
import { IpsecProtocol, type Lifetime, type SecurityAssociationSpec } from '../../ipsec/security-association.ts';
import { DEFLATE, roundedWindow, tunnelBetween } from './build-ipsec.ts';
import type { ConfigView, IpsecPolicy } from './config-view.ts';
import type { AssociationModel, Model } from './model.ts';

/** The name of an association that a daemon has made: what the side that receives knows it by. */
export function runTimeName(protocol: 'esp' | 'ah', destination: string, spi: number): string {
  return `${protocol} ${destination} ${spi}`;
}

export class RunTimeAssociations {
  readonly #associations = new Map<string, AssociationModel>();

  /** Whether a name is of one of these. */
  has(name: string): boolean {
    return this.#associations.has(name);
  }

  /** Takes an association that the next model shall have. Throws an IpcError that shows no key. */
  add(wanted: NewAssociation, view: ConfigView, { associations }: Pick<Model, 'associations'>): void {
    const { spi, direction, protocol } = wanted;
    const source = hostOf('source', wanted.source);
    const destination = hostOf('destination', wanted.destination);
    const { family, routeDomain } = source;
    if (family !== destination.family || routeDomain !== destination.routeDomain) {
      refuse(`destination: ${wanted.destination} has another IP version or route domain than ${wanted.source}`);
    }
    const policy = policyOf(wanted, view);
    const { mode } = policy.properties;
    const ends = { source: formatAddress(source), destination: formatAddress(destination) };
    const tunnel = mode === 'interface' ? tunnelBetween(ends, policy.name, view) : undefined;
    if (mode === 'interface' && tunnel === undefined) {
      refuse(
        `policy: no tunnel between its ends has a profile whose traffic-selector names IPsec policy ${policy.name}`,
      );
    }
    const name = runTimeName(protocol, ends.destination, spi);
    const isThere = ({ sa, routeDomain: own }: AssociationModel): boolean =>
      sa.spi === spi &&
      own === routeDomain &&
      sa.protocol === IpsecProtocol[protocol] &&
      sameWords(sa.destination, destination.words);
    const known = [...associations.values(), ...this.#associations.values()];
    if (known.some(isThere)) refuse(`spi: ${spi} to ${wanted.destination} belongs to an association already`);
    if (new Set(known.map((one) => one.name)).size >= MAX_ASSOCIATIONS) {
      refuse(`there are ${MAX_ASSOCIATIONS} associations already, and no more can be`);
    }
    const { keys, transform } = keysAndTransform(wanted);
    const sa: SecurityAssociationSpec = {
      spi,
      protocol: IpsecProtocol[protocol],
      isTunnel: mode !== 'transport',
      family,
      source: source.words,
      destination: destination.words,
      transform,
      extended: wanted.extendedSequence,
      replayWindow: roundedWindow(wanted.replayWindow),
      compression: policy.properties.ipcomp === 'deflate' ? DEFLATE : 0,
      compressionIndex: DEFLATE,
      udpSourcePort: wanted.udpPorts?.[0] ?? 0,
      udpDestinationPort: wanted.udpPorts?.[1] ?? 0,
      ahAlign8: false,
      dontFragment: policy.properties.df,
      softLifetime: lifetimeOf(wanted.softLifetime),
      hardLifetime: lifetimeOf(wanted.hardLifetime),
    };
    const sends = direction === 'out';
    this.#associations.set(name, { name, routeDomain, policy: policy.name, sends, tunnel, sa, keys, isRunTime: true });
  }

  /** Adds those whose policy is there to a model; the others are forgotten. */
  addTo({ associations }: Pick<Model, 'associations'>, { ipsecPolicies }: ConfigView): void {
    for (const [name, association] of this.#associations) {
      if (ipsecPolicies.has(association.policy)) associations.set(name, association);
      else this.remove(name);
    }
  }

  remove(name: string): void {
    const association = this.#associations.get(name);
    if (association === undefined) return;
    forgetKeys(association);
    this.#associations.delete(name);
  }
}

const sameWords = (a: AddressWords, b: AddressWords): boolean => a.every((word, index) => word === b[index]);

function refuse(text: string): never {
  throw new IpcError('refused', text);
}

function hostOf(property: string, text: string): IpAddress {
  return parseAddress(text) ?? refuse(`${property}: ${text} is no address`);
}

function policyOf(
  { policy: name, protocol, extendedSequence, replayWindow }: NewAssociation,
  view: ConfigView,
): IpsecPolicy {
  const policy = view.ipsecPolicies.get(name) ?? refuse(`policy: there is no IPsec policy ${name}`);
  if (policy.properties.mode === 'isession') refuse(`policy: IPsec policy ${name} has mode isession, which has none`);
  if (policy.properties.protocol !== protocol)
    refuse(`protocol: IPsec policy ${name} has another one than ${protocol}`);
  if (extendedSequence && replayWindow === 0) refuse('replayWindow: extended sequence numbers need one');
  return policy;
}

function keysAndTransform({ protocol, authAlgorithm, encryptAlgorithm, authKey, encryptKey }: NewAssociation): {
  keys: OpenKeyProperties;
  transform: SecurityAssociationSpec['transform'];
} {
  const keys: OpenKeyProperties = {
    protocol,
    'auth-algorithm': authAlgorithm,
    'encrypt-algorithm': encryptAlgorithm,
    opened: {
      ...(authKey !== undefined && { 'auth-key': Uint8Array.from(Buffer.from(authKey, 'hex')) }),
      ...(encryptKey !== undefined && { 'encrypt-key': Uint8Array.from(Buffer.from(encryptKey, 'hex')) }),
    },
  };
  const found = keysOf(keys);
  if ('problem' in found) refuse(`${found.property}: ${found.problem}`);
  const { cipher, mac } = found.algorithms;
  return { keys, transform: { cipher, mac } };
}

/** What an association's keys were is not to be read in memory when it has gone, or once the cipher has them. */
export function forgetKeys({ keys }: AssociationModel): void {
  if ('opened' in keys) for (const key of Object.values(keys.opened)) key.fill(0);
}

const lifetimeOf = ({ seconds = 0, octets = 0, packets = 0 }: NewAssociation['hardLifetime'] = {}): Lifetime => ({
  seconds,
  octets,
  packets,
});
