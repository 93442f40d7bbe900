// Who this machine is to the mesh, whatever it is called and whatever certificate it has.

import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { readFileIfThere, writeFileAtomic } from '../../store/atomic-file.ts';

const FILE = 'device-id';
const FORM = /^[0-9a-f-]{36}$/;

/** What the file says, which is made when there is none. Throws a StoreError. */
export async function deviceIdIn(directory: string): Promise<string> {
  const path = join(directory, FILE);
  const known = (await readFileIfThere(path))?.trim() ?? '';
  if (FORM.test(known)) return known;
  const made = randomUUID();
  await writeFileAtomic(path, `${made}\n`);
  return made;
}
