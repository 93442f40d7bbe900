// Authorities and certificates of openssl(1), as devices and their authorities have them: chains, revocation lists, all that is wrong.

import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { X509Certificate } from 'node:crypto';

/** Paths of files in PEM. */
export type IssuedPair = { readonly certificate: string; readonly key: string };

export type Wish = {
  /** Common name. */
  readonly name?: string;
  /** As ASN.1 has it, YYYYMMDDHHMMSSZ. */
  readonly from?: string;
  readonly until?: string;
  /** What `openssl req -newkey` takes: `rsa:2048` unless told. */
  readonly key?: readonly string[];
  readonly digest?: string;
  /** Lines of an extension section. */
  readonly extensions?: readonly string[];
};

const DEVICE_EXTENSIONS = [
  'basicConstraints=critical,CA:FALSE',
  'keyUsage=critical,digitalSignature,keyEncipherment',
  'extendedKeyUsage=serverAuth,clientAuth',
];
const EC_KEY = ['ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];

export class TrustAuthority {
  readonly certificate: string;
  readonly #key: string;
  readonly #directory: string;
  #count = 0;

  /** A root, or an authority below another. */
  constructor(directory: string, name: string, { parent, extensions, key }: { parent?: TrustAuthority } & Wish = {}) {
    this.#directory = join(directory, name);
    mkdirSync(this.#directory, { recursive: true });
    const authority = extensions ?? ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign'];
    if (parent === undefined) {
      const pair = selfSigned(this.#directory, { name, extensions: authority, key: key ?? EC_KEY });
      this.certificate = pair.certificate;
      this.#key = pair.key;
    } else {
      const pair = parent.issue({ name, extensions: authority, key: key ?? EC_KEY });
      this.certificate = pair.certificate;
      this.#key = pair.key;
    }
    writeFileSync(this.#path('index'), '');
    writeFileSync(this.#path('serial'), '1000');
    writeFileSync(this.#path('crlnumber'), '01');
    writeFileSync(
      this.#path('ca.conf'),
      `[ca]\ndefault_ca=this\n[this]\ndatabase=${this.#path('index')}\nserial=${this.#path('serial')}\n` +
        `crlnumber=${this.#path('crlnumber')}\nnew_certs_dir=${this.#directory}\ncertificate=${this.certificate}\n` +
        `private_key=${this.#key}\ndefault_md=sha256\npolicy=any\ndefault_days=3650\ndefault_crl_days=30\n` +
        `unique_subject=no\n[any]\ncommonName=supplied\n`,
    );
  }

  issue(wish: Wish = {}): IssuedPair {
    const { name = 'localhost.localdomain', key = ['rsa:2048'], digest = 'sha256', from, until } = wish;
    const base = this.#path(`issued${++this.#count}`);
    const [secret, request, certificate, extensions] = [`${base}.key`, `${base}.csr`, `${base}.pem`, `${base}.ext`];
    openssl('req', '-newkey', ...key, '-nodes', '-keyout', secret, '-out', request, '-subj', `/CN=${name}`);
    writeFileSync(extensions, `${(wish.extensions ?? DEVICE_EXTENSIONS).join('\n')}\n`);
    this.sign(request, certificate, { from, until, digest, extensions });
    return { certificate, key: secret };
  }

  /** Signs a request in a file. */
  sign(
    request: string,
    certificate: string,
    options: { from?: string | undefined; until?: string | undefined; digest?: string; extensions?: string } = {},
  ): void {
    const { from, until, digest = 'sha256', extensions } = options;
    const dates = [...(from ? ['-startdate', from] : []), ...(until ? ['-enddate', until] : [])];
    const more = extensions === undefined ? [] : ['-extfile', extensions];
    this.#ca('-batch', '-notext', '-md', digest, ...more, ...dates, '-in', request, '-out', certificate);
  }

  revoke({ certificate }: IssuedPair): void {
    this.#ca('-revoke', certificate);
  }

  /** A revocation list in PEM; with `from` and `until` as certificates have them. */
  revocationList({ from, until }: { from?: string; until?: string } = {}): string {
    const file = this.#path('crl.pem');
    const dates = [...(from ? ['-crl_lastupdate', from] : []), ...(until ? ['-crl_nextupdate', until] : [])];
    this.#ca('-gencrl', ...dates, '-out', file);
    return readFileSync(file, 'utf8');
  }

  #ca(...args: string[]): void {
    openssl('ca', '-config', this.#path('ca.conf'), ...args);
  }

  #path(name: string): string {
    return join(this.#directory, name);
  }
}

let made = 0;

/** A certificate that has signed itself, as a device has it. */
export function selfSigned(directory: string, wish: Wish = {}): IssuedPair {
  const {
    name = 'localhost.localdomain',
    key = ['rsa:2048'],
    digest = 'sha256',
    extensions = DEVICE_EXTENSIONS,
  } = wish;
  mkdirSync(directory, { recursive: true });
  const base = join(directory, `self${++made}`);
  const [certificate, secret, request, file] = [`${base}.pem`, `${base}.key`, `${base}.csr`, `${base}.ext`];
  openssl('req', '-newkey', ...key, '-nodes', '-keyout', secret, '-out', request, '-subj', `/CN=${name}`);
  if (wish.from !== undefined || wish.until !== undefined) {
    writeFileSync(`${base}.index`, '');
    writeFileSync(file, `${extensions.join('\n')}\n`);
    writeFileSync(
      `${base}.conf`,
      `[ca]\ndefault_ca=this\n[this]\ndatabase=${base}.index\nrand_serial=yes\nnew_certs_dir=${directory}\ndefault_md=${digest}\n` +
        `policy=any\ndefault_days=3650\n[any]\ncommonName=supplied\n`,
    );
    const dates = [...(wish.from ? ['-startdate', wish.from] : []), ...(wish.until ? ['-enddate', wish.until] : [])];
    const self = ['-selfsign', '-keyfile', secret, '-in', request, '-out', certificate, '-extfile', file];
    openssl('ca', '-batch', '-notext', '-config', `${base}.conf`, ...dates, ...self);
    return { certificate, key: secret };
  }
  writeFileSync(file, `${extensions.join('\n')}\n`);
  const self = ['-req', '-in', request, '-key', secret, '-out', certificate, '-days', '3650', `-${digest}`];
  openssl('x509', ...self, '-extfile', file);
  return { certificate, key: secret };
}

export function pemOf(pair: IssuedPair | TrustAuthority): string {
  return readFileSync(pair.certificate, 'utf8');
}

export function derOf(pair: IssuedPair | TrustAuthority): Uint8Array {
  return new X509Certificate(readFileSync(pair.certificate)).raw;
}

/** Days from now, as openssl takes them. */
export function inDays(days: number): string {
  return `${new Date(Date.now() + days * 86_400_000).toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`;
}

/** Runs openssl(1); throws with what it says. */
export function openssl(...args: string[]): string {
  return execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' });
}
