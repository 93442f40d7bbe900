// The master key of tests: whoever imports this can read configurations with secrets.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { useSecretBox } from '../../src/config/secret-box.ts';
import { MasterKeyBox } from '../../src/store/master-key.ts';

const directory = mkdtempSync(join(tmpdir(), 'wideplane-master-key-'));
const box = new MasterKeyBox(join(directory, 'master.key'), { create: true });
box.load();
rmSync(directory, { recursive: true });
useSecretBox(box);
