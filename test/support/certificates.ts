// Certificates made by openssl(1), good ones and those with something wrong.

import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export type Certificate = { readonly certificate: string; readonly key: string };

export type CertificateWish = {
  /** As in subjectAltName: `DNS:name,IP:address`. */
  readonly names: string;
  /** As ASN.1 has it, YYMMDDHHMMSSZ. */
  readonly from?: string;
  readonly until?: string;
};

/** An authority with files in a directory. */
export class Authority {
  readonly certificate: string;
  readonly #key: string;
  readonly #directory: string;
  #count = 0;

  constructor(directory: string, name: string) {
    this.#directory = join(directory, name);
    mkdirSync(this.#directory, { recursive: true });
    this.certificate = join(this.#directory, 'ca.pem');
    this.#key = join(this.#directory, 'ca.key');
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', this.#key];
    openssl('req', '-x509', ...key, '-out', this.certificate, '-days', '3650', '-subj', `/CN=${name}`);
    writeFileSync(join(this.#directory, 'index'), '');
    writeFileSync(join(this.#directory, 'serial'), '01');
    writeFileSync(
      join(this.#directory, 'ca.conf'),
      `[ca]\ndefault_ca=this\n[this]\ndir=${this.#directory}\ndatabase=$dir/index\nserial=$dir/serial\nnew_certs_dir=$dir\n` +
        `certificate=${this.certificate}\nprivate_key=${this.#key}\ndefault_md=sha256\npolicy=any\ndefault_days=3650\n` +
        `unique_subject=no\n[any]\ncommonName=supplied\n`,
    );
  }

  issue({ names, from, until }: CertificateWish): Certificate {
    const base = join(this.#directory, `host${++this.#count}`);
    const [key, request, certificate, extensions] = ['key', 'csr', 'pem', 'ext'].map((end) => `${base}.${end}`) as [
      string,
      string,
      string,
      string,
    ];
    const ways = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key];
    openssl('req', ...ways, '-out', request, '-subj', '/CN=target');
    writeFileSync(extensions, `subjectAltName=${names}\n`);
    const dates = [...(from ? ['-startdate', from] : []), ...(until ? ['-enddate', until] : [])];
    const config = ['-config', join(this.#directory, 'ca.conf'), '-extfile', extensions];
    openssl('ca', '-batch', '-notext', ...config, ...dates, '-in', request, '-out', certificate);
    return { certificate, key };
  }
}

/** A certificate that has signed itself. */
export function selfSigned(directory: string): Certificate {
  mkdirSync(directory, { recursive: true });
  const [certificate, key] = [join(directory, 'self.pem'), join(directory, 'self.key')];
  const ways = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key];
  openssl('req', '-x509', ...ways, '-out', certificate, '-days', '30', '-subj', '/CN=self.test');
  return { certificate, key };
}

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
