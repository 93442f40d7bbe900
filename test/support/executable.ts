// The executable of this checkout, as `npm run build` makes it.

import { fileURLToPath } from 'node:url';

export const EXECUTABLE = fileURLToPath(new URL('../../bin/main.js', import.meta.url));
