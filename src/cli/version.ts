// `wideplane version`.

import { release } from 'node:os';
import { loadAddon } from '../native/addon.ts';
import { packageVersion } from '../native/package.ts';
import { adaptersHere, adapterText } from './adapters.ts';

export function version(options: { json: boolean }): number {
  const addon = loadAddon();
  const facts = {
    wideplane: packageVersion(),
    node: process.version,
    kernel: release(),
    addon: addon.addon ? `loaded from ${addon.path}` : addon.reason,
  };
  const adapters = Object.fromEntries(adaptersHere().map((report) => [report.adapter, adapterText(report)]));
  if (options.json) {
    console.log(JSON.stringify({ ...facts, addonLoaded: addon.addon !== undefined, adapters }));
    return 0;
  }
  for (const [name, value] of Object.entries(facts)) console.log(`${name.padEnd(11)}${value}`);
  for (const [name, value] of Object.entries(adapters)) console.log(`adapter    ${name.padEnd(14)}${value}`);
  return 0;
}
