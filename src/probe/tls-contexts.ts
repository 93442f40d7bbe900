// What OpenSSL needs for the TLS options of monitors: made once for each set of options, and again when one of their files changes.

import { existsSync } from 'node:fs';
import { createSecureContext, type SecureContext } from 'node:tls';
import { errorText } from '../core/errors.ts';
import type { TlsOptions } from '../health/monitor.ts';
import { FileFault, WatchedFiles } from './watched-files.ts';

/** The authorities that a Debian system trusts; without the file those that Node.js comes with. */
const SYSTEM_AUTHORITIES = '/etc/ssl/certs/ca-certificates.crt';

type Made = { readonly stamp: string; readonly context: SecureContext | string };

export class TlsContexts {
  readonly #files = new WatchedFiles();
  readonly #made = new Map<string, Made>();

  /** The context, or why there is none: it names the file, or the property, that is to blame. */
  contextOf(options: TlsOptions): SecureContext | string {
    const authorities = options.verify
      ? options.authorities || (existsSync(SYSTEM_AUTHORITIES) ? SYSTEM_AUTHORITIES : '')
      : '';
    const { ciphers, certificate, key } = options;
    const paths = [certificate, key, authorities];
    const which = JSON.stringify([ciphers, options.verify, ...paths]);
    const stamp = paths.map((path) => (path === '' ? '' : this.#files.stampOf(path))).join('\n');
    const known = this.#made.get(which);
    if (known?.stamp === stamp) return known.context;
    const context = this.#make(options, authorities);
    this.#made.set(which, { stamp, context });
    return context;
  }

  #make({ ciphers, certificate, key, verify }: TlsOptions, authorities: string): SecureContext | string {
    try {
      const cert = certificate === '' ? undefined : this.#files.contentOf(certificate);
      const secret = key === '' ? undefined : this.#files.contentOf(key);
      const ca = authorities === '' ? undefined : this.#files.contentOf(authorities);
      const words = ciphersOf(ciphers, verify);
      const attempts: [string, () => unknown][] = [
        [`ciphers "${ciphers}"`, () => createSecureContext({ ciphers: words })],
        [`certificate file ${certificate}`, () => createSecureContext({ cert })],
        [`key file ${key}`, () => createSecureContext({ key: secret })],
        [`file of authorities ${authorities}`, () => createSecureContext({ ca })],
      ];
      try {
        return createSecureContext({ ciphers: words, cert, key: secret, ca, minVersion: 'TLSv1' });
      } catch (error) {
        // Each alone, to say which it is; none: certificate and key do not belong together.
        for (const [what, attempt] of attempts) {
          try {
            attempt();
          } catch (reason) {
            return `cannot use ${what}: ${errorText(reason)}`;
          }
        }
        return `cannot use certificate file ${certificate} with key file ${key}: ${errorText(error)}`;
      }
    } catch (error) {
      if (error instanceof FileFault) return error.message;
      throw error;
    }
  }
}

/** A target with a key or a protocol of former times is alive as well: whoever does not verify takes any strength. */
function ciphersOf(ciphers: string, verify: boolean): string {
  const words = ciphers === '' ? 'DEFAULT' : ciphers;
  return verify || words.includes('@SECLEVEL') ? words : `${words}:@SECLEVEL=0`;
}
