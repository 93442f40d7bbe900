// Writes the reference manual, docs/reference/, from what is built: `npm run docs`.
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { manualPages } from '../dist/src/manual/pages.js';

const directory = fileURLToPath(new URL('../docs/reference/', import.meta.url));
const pages = manualPages();
mkdirSync(directory, { recursive: true });
for (const name of readdirSync(directory)) if (!pages.has(name)) rmSync(directory + name);
for (const [name, text] of pages) writeFileSync(directory + name, text);
console.log(`docs/reference: ${pages.size} pages`);
