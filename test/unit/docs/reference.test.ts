// The reference manual is what the definitions say, and every example in it loads.

import '../../support/secret-box.ts';
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { describe, it } from 'node:test';
import { emptyConfiguration } from '../../../src/config/configuration.ts';
import { loadText } from '../../../src/config/load-text.ts';
import { OBJECT_TYPES } from '../../../src/config/object-types.ts';
import { printConfiguration } from '../../../src/config/print.ts';
import type { PropertyMap } from '../../../src/config/property.ts';
import { manualPages } from '../../../src/manual/pages.ts';
import { objectPage } from '../../../src/manual/object-page.ts';

const DIRECTORY = 'docs/reference';
const pages = manualPages();

describe('docs/reference', () => {
  it('is current', () => {
    const stale = [...pages].filter(([name, text]) => {
      const file = `${DIRECTORY}/${name}`;
      return !existsSync(file) || readFileSync(file, 'utf8') !== text;
    });
    const strange = readdirSync(DIRECTORY).filter((name) => !pages.has(name));
    const names = [...stale.map(([name]) => name), ...strange];
    assert.deepEqual(names, [], `not current: ${names.join(', ')}; this makes them so: npm run docs`);
  });

  it('leads only to headings and pages that are there', () => {
    let links = 0;
    for (const [name, text] of pages) {
      const headings = new Set(
        [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) => heading!.toLowerCase().replaceAll(' ', '-')),
      );
      for (const [, target] of text.matchAll(/\]\(([^)]+)\)/g)) {
        links += 1;
        const isThere = target!.startsWith('#') ? headings.has(target!.slice(1)) : pages.has(target!);
        assert.ok(isThere, `${name}: ${target} leads nowhere`);
      }
    }
    assert.ok(links > 50);
  });

  it('has every property of every type, with its marks', () => {
    const vlan = objectPage(OBJECT_TYPES.find(({ path }) => path === 'net vlan')!);
    assert.match(
      vlan,
      /^\| `failsafe-timeout` \| `failsafeTimeout` \| integer from 10 to 3600 \| `90` \| \*No effect\.\* /m,
    );
    assert.match(vlan, /^\| `tagged` \| `tagged`, `untagged` \| `tagged` or `untagged` \| `untagged` \|/m);
    const route = objectPage(OBJECT_TYPES.find(({ path }) => path === 'net route')!);
    assert.match(route, /^\| `interface` \| `tmInterface` \|/m);
    assert.match(route, /^\| `network` \|.* \*Immutable\.\* /m);
    for (const type of OBJECT_TYPES) {
      const rows = objectPage(type).match(/^\| `[a-z0-9-]+` \| `/gm)?.length ?? 0;
      assert.equal(rows, countProperties(type.properties), type.path);
    }
  });

  it('says of every property in a sentence what it is', () => {
    for (const type of OBJECT_TYPES)
      for (const help of helpsOf(type.properties)) assert.match(help, /^.{8,}\.$/, type.path);
  });
});

describe('the example of', () => {
  for (const type of OBJECT_TYPES) {
    it(type.path, () => {
      const text = type.example.trim();
      const { configuration, warnings, unknown } = loadText(text, emptyConfiguration(), { file: type.path });
      assert.deepEqual([warnings, unknown], [[], []]);
      assert.ok(text.startsWith(`${type.path} `) || text.includes(`\n${type.path} `), 'it has no object of the type');
      const again = loadText(printConfiguration(configuration, '1'), emptyConfiguration(), { file: 'again' });
      assert.deepEqual([...again.configuration.views], [...configuration.views]);
    });
  }
});

function countProperties(map: PropertyMap): number {
  return [...helpsOf(map)].length;
}

function* helpsOf(map: PropertyMap): Generator<string> {
  for (const { help, kind } of Object.values(map)) {
    yield help;
    if (kind.shape === 'records') yield* helpsOf(kind.properties);
  }
}
