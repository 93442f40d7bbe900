// The keys of a manual security association as packets use them, or what is wrong with them.

import { pairOf } from './ipsec-algorithms.ts';
import type { AuthAlgorithm, EncryptAlgorithm, PairOfAlgorithms } from './ipsec-algorithms.ts';
import { keyOctets } from './ipsec-kinds.ts';
import { openSecret } from './secret-box.ts';

/** What the properties of a `net ipsec manual-security-association` say of its keys. */
export type KeyProperties = {
  readonly protocol: 'esp' | 'ah';
  readonly 'auth-algorithm': AuthAlgorithm;
  readonly 'encrypt-algorithm': EncryptAlgorithm;
  readonly 'auth-key'?: string;
  readonly 'encrypt-key'?: string;
};

/** The same of an association that a daemon makes, which says its keys as they are. */
export type OpenKeyProperties = Omit<KeyProperties, KeyName> & { readonly opened: OpenedKeys };

type OpenedKeys = Readonly<Partial<Record<KeyName, Uint8Array>>>;

export type IpsecKeys = {
  readonly algorithms: PairOfAlgorithms;
  /** Of the cipher, the salt of a combined one behind it; empty for `null`. */
  readonly key: Uint8Array;
  /** Of the MAC; empty for a combined cipher. */
  readonly macKey: Uint8Array;
};

/** What is wrong: a property, a sentence without its full stop that shows no key, and what to do. */
export type KeyProblem = { readonly property: string; readonly problem: string; readonly hint: string };

type KeyName = 'auth-key' | 'encrypt-key';

/** Opens the keys and holds them against the lengths that the algorithms want. */
export function keysOf(properties: KeyProperties | OpenKeyProperties): IpsecKeys | KeyProblem {
  const { protocol, 'auth-algorithm': auth, 'encrypt-algorithm': encrypt } = properties;
  const algorithms = pairOf(protocol, auth, encrypt);
  if ('problem' in algorithms) return { ...algorithms, property: `${algorithms.property}-algorithm` };
  const opened = 'opened' in properties ? properties.opened : unseal(properties);
  if ('problem' in opened) return opened;
  if (algorithms.mac === 'none') {
    const key = combinedKey(opened, algorithms, auth);
    return key instanceof Uint8Array ? { algorithms, key, macKey: new Uint8Array() } : key;
  }
  const problem =
    checkLength('auth-key', opened['auth-key'], algorithms.macKeyOctets, auth) ??
    checkLength('encrypt-key', opened['encrypt-key'], algorithms.keyOctets, encrypt);
  if (problem !== undefined) return problem;
  return {
    algorithms,
    key: opened['encrypt-key'] ?? new Uint8Array(),
    macKey: opened['auth-key'] ?? new Uint8Array(),
  };
}

function unseal(properties: KeyProperties): OpenedKeys | KeyProblem {
  const opened: Partial<Record<KeyName, Uint8Array>> = {};
  for (const property of ['auth-key', 'encrypt-key'] as const) {
    const sealed = properties[property];
    if (sealed === undefined) continue;
    const secret = openSecret(sealed);
    if ('problem' in secret) return { property, problem: secret.problem, hint: `Write the ${property} itself.` };
    opened[property] = keyOctets(secret.text);
  }
  return opened;
}

/** The one key of AES-GCM and AES-GMAC, whichever property it stands in. */
function combinedKey(
  opened: OpenedKeys,
  { keyOctets: octets }: PairOfAlgorithms,
  algorithm: string,
): Uint8Array | KeyProblem {
  const { 'auth-key': auth, 'encrypt-key': encrypt } = opened;
  if (auth !== undefined && encrypt !== undefined && !sameOctets(auth, encrypt)) {
    const hint = 'Give it as encrypt-key alone.';
    return { property: 'auth-key', problem: `${algorithm} has one key, but encrypt-key is another one`, hint };
  }
  const property = encrypt === undefined && auth !== undefined ? 'auth-key' : 'encrypt-key';
  const key = encrypt ?? auth;
  return checkLength(property, key, octets, algorithm, `, of which the last 4 are the salt`) ?? key!;
}

function checkLength(
  property: KeyName,
  key: Uint8Array | undefined,
  octets: number,
  algorithm: string,
  more = '',
): KeyProblem | undefined {
  if (octets === 0) {
    if (key === undefined) return undefined;
    return { property, problem: `${algorithm} has no key`, hint: `Write ${property} none.` };
  }
  const hint = `Write ${octets} characters in double quotes, or 0x and ${2 * octets} hexadecimal digits.`;
  if (key === undefined) return { property, problem: `${algorithm} needs a key of ${octets} octets${more}`, hint };
  if (key.length === octets) return undefined;
  return { property, problem: `${algorithm} needs a key of ${octets} octets${more}, not of ${key.length}`, hint };
}

function sameOctets(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, index) => octet === b[index]);
}
