// The version that `load sys config rollback N` names.

import { ConfigError } from '../../core/errors.ts';
import type { TmshBackend } from '../backend.ts';

/** Path and text of the version. Throws a ConfigError or a StoreError. */
export async function readRollback(backend: TmshBackend, number: string): Promise<{ path: string; text: string }> {
  const version = /^[1-9]\d{0,8}$/.test(number) ? await backend.readVersion(Number(number)) : undefined;
  if (version !== undefined) return version;
  throw new ConfigError('notFound', `The requested version of the configuration (${number}) was not found.`, {
    value: number,
    hint: 'list sys config history shows those that exist.',
  });
}
