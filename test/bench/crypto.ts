// Benchmarks of the ciphers of IPsec, which need no topology: programs on core 0, one after the other.

import { fileURLToPath } from 'node:url';
import type { CryptoBackend } from '../../src/net/batch-crypto.ts';
import type { ProgramBenchmark } from './benchmark.ts';
import { onCore, run } from './command.ts';

const PROGRAM = fileURLToPath(new URL('./crypto-program.js', import.meta.url));
const CORE = 0;

const seal =
  (backend: CryptoBackend, octets: number, associations: number) =>
  async (measureMs: number): Promise<number> => {
    const words = [backend, octets, Math.round(measureMs), associations].map(String);
    return Number(await run(onCore(CORE, [process.execPath, PROGRAM, ...words])));
  };

/** What `openssl speed` encrypts in a second, as nanoseconds for so many octets. */
const opensslSpeed =
  (octets: number) =>
  async (measureMs: number): Promise<number> => {
    const seconds = String(Math.max(1, Math.round(measureMs / 1000)));
    const words = ['speed', '-elapsed', '-seconds', seconds, '-bytes', String(octets), '-evp', 'aes-128-gcm'];
    const output = await run(onCore(CORE, ['openssl', ...words]));
    const thousandOctets = Number(/^AES-128-GCM\s+([\d.]+)k$/im.exec(output)?.[1]);
    if (!(thousandOctets > 0)) throw new Error(`openssl speed printed:\n${output}`);
    return (octets * 1e9) / (thousandOctets * 1000);
  };

function againstOpenssl(name: string, backend: CryptoBackend, octets: number, atLeast: number): ProgramBenchmark {
  return {
    ...{ name, unit: 'ns', atLeast, moreIsBetter: false },
    own: seal(backend, octets, 1),
    peer: { name: 'openssl', measure: opensslSpeed(octets) },
  };
}

export const CRYPTO_BENCHMARKS: readonly ProgramBenchmark[] = [
  againstOpenssl('esp-gcm-64-vs-openssl', 'openssl', 64, 1.2),
  againstOpenssl('esp-gcm-1400-vs-openssl', 'openssl', 1400, 1.2),
  againstOpenssl('esp-gcm-64-mb-vs-openssl', 'ipsec-mb', 64, 3),
  againstOpenssl('esp-gcm-1400-mb-vs-openssl', 'ipsec-mb', 1400, 3),
  {
    ...{ name: 'esp-gcm-1000-sas-vs-1', unit: 'ns', atLeast: 0.6, moreIsBetter: false },
    own: seal('ipsec-mb', 64, 1000),
    peer: { name: 'one-sa', measure: seal('ipsec-mb', 64, 1) },
  },
];
