// The master key of this machine, and the secrets that it seals (docs/decisions/secrets.md).
//
// A sealed text is `$M$`, eight hexadecimal digits that name the master key, `$`, and in base64url the nonce, the ciphertext and the
// tag of AES-256-GCM. The nonce is an HMAC of the secret: so it comes twice only with the same secret, and the same
// secret always has the same sealed text.

import { createCipheriv, createDecipheriv, createHash, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import {
  closeSync,
  fchmodSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { SEALED } from '../config/secret-box.ts';
import type { OpenedSecret, SecretBox } from '../config/secret-box.ts';

const CIPHER = 'aes-256-gcm';
const KEY_OCTETS = 32;
const NONCE_OCTETS = 12;
const TAG_OCTETS = 16;
const ID_DIGITS = 8;
const KEY_TEXT = /^[0-9a-f]{64}\n?$/;
const SEALED_TEXT = /^\$M\$([0-9a-f]{8})\$([A-Za-z0-9_-]+)$/;

type Keys = { readonly id: string; readonly seal: Uint8Array; readonly nonce: Uint8Array };

export type MasterKeyOptions = {
  /** Whether a key is made where there is none. */
  readonly create: boolean;
};

/**
 * Seals and opens by the master key in a file. The file is read, or made, when a secret is needed for the first time, or by
 * `load`; and again when a text was sealed by another key, as after somebody has put one back.
 */
export class MasterKeyBox implements SecretBox {
  readonly #path: string;
  readonly #create: boolean;
  #keys: Keys | undefined;

  constructor(path: string, { create }: MasterKeyOptions) {
    this.#path = path;
    this.#create = create;
  }

  /** Throws an Error that names the file and what to do. */
  load(): void {
    this.#keys ??= keysFrom(readOrMake(this.#path, this.#create));
  }

  seal(text: string): string {
    this.load();
    const { id, seal, nonce: nonceKey } = this.#keys!;
    const nonce = createHmac('sha256', nonceKey).update(text).digest().subarray(0, NONCE_OCTETS);
    const cipher = createCipheriv(CIPHER, seal, nonce);
    const sealed = [nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()];
    return `${SEALED}${id}$${Buffer.concat(sealed).toString('base64url')}`;
  }

  open(sealed: string): OpenedSecret {
    const [, id, text] = SEALED_TEXT.exec(sealed) ?? [];
    if (id === undefined || text === undefined) {
      return { problem: 'was masked by another device, whose master key is not here: write the secret itself' };
    }
    try {
      this.load();
      if (this.#keys!.id !== id) {
        const master = readKey(this.#path);
        if (master !== undefined) this.#keys = keysFrom(master);
      }
    } catch (error) {
      return { problem: `cannot be read: ${(error as Error).message}` };
    }
    const { id: ours, seal } = this.#keys!;
    if (ours !== id) {
      return {
        problem:
          `was masked with master key ${id}, but ${this.#path} holds ${ours}: ` +
          'put that master key there, or write the secret itself',
      };
    }
    return decipher(seal, Buffer.from(text, 'base64url')) ?? { problem: 'is damaged: write the secret itself' };
  }
}

function decipher(key: Uint8Array, octets: Buffer): OpenedSecret | undefined {
  if (octets.length < NONCE_OCTETS + TAG_OCTETS) return undefined;
  const decipher = createDecipheriv(CIPHER, key, octets.subarray(0, NONCE_OCTETS));
  decipher.setAuthTag(octets.subarray(-TAG_OCTETS));
  try {
    const text = decipher.update(octets.subarray(NONCE_OCTETS, -TAG_OCTETS));
    return { text: Buffer.concat([text, decipher.final()]).toString('utf8') };
  } catch {
    return undefined;
  }
}

function keysFrom(master: Uint8Array): Keys {
  const derive = (use: string): Uint8Array =>
    new Uint8Array(hkdfSync('sha256', master, '', `wideplane ${use}`, KEY_OCTETS));
  const id = createHash('sha256').update(derive('name')).digest('hex').slice(0, ID_DIGITS);
  return { id, seal: derive('seal'), nonce: derive('nonce') };
}

function readOrMake(path: string, create: boolean): Uint8Array {
  const known = readKey(path);
  if (known !== undefined) return known;
  if (!create) throw new Error(`there is no master key ${path}`);
  makeKey(path);
  return readKey(path)!;
}

function readKey(path: string): Uint8Array | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'latin1');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new Error(`cannot read the master key ${path}: ${(error as Error).message}`, { cause: error });
  }
  if (!KEY_TEXT.test(text)) {
    throw new Error(
      `${path} is no master key: put back the file that was there, or remove it and write all secrets again`,
    );
  }
  return Buffer.from(text.trim(), 'hex');
}

/** Makes the file whole or not at all; of several processes that make it at once, one does. */
function makeKey(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}.tmp`;
  const file = openSync(temporary, 'wx', 0o600);
  try {
    fchmodSync(file, 0o600);
    writeSync(file, `${randomBytes(KEY_OCTETS).toString('hex')}\n`);
    fsyncSync(file);
    linkSync(temporary, path);
    syncDirectory(dirname(path));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    closeSync(file);
    unlinkSync(temporary);
  }
}

function syncDirectory(path: string): void {
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
