import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { enteredModule, modulesWithin, qualify, qualifyLine } from '../../../src/tmsh/module-path.ts';

describe('modules at the prompt', () => {
  it('are entered from the top, from one another, and by a slash', () => {
    assert.equal(enteredModule('net', ''), 'net');
    assert.equal(enteredModule(' net  tunnels ', ''), 'net tunnels');
    assert.equal(enteredModule('tunnels', 'net'), 'net tunnels');
    assert.equal(enteredModule('/sys', 'net'), 'sys');
    assert.equal(enteredModule('/', 'net'), '');
    assert.equal(enteredModule('net', 'net'), undefined);
    assert.equal(enteredModule('ne', ''), undefined);
    assert.equal(enteredModule('net vlan wan', ''), undefined);
    assert.equal(enteredModule('', ''), undefined);
  });

  it('hold components', () => {
    assert.equal(modulesWithin('').get('sys'), 'folder, db');
    assert.ok(modulesWithin('net').has('tunnels'));
    assert.deepEqual([...modulesWithin('net tunnels').keys()].sort(), ['etherip', 'gre', 'ipsec', 'tunnel', 'vxlan']);
  });

  it('are put into the commands that are typed within them', () => {
    assert.equal(qualify('list vlan wan', 'net'), 'list net vlan wan');
    assert.equal(qualify('list', 'net'), 'list net');
    assert.equal(qualify('create wan { tag 3 }', 'net vlan'), 'create net vlan wan { tag 3 }');
    assert.equal(qualify('create { wan tag 3 }', 'net vlan'), 'create net vlan { wan tag 3 }');
    assert.equal(qualify('modify vlan wan {\n  tag 3\n}', 'net'), 'modify net vlan wan {\n  tag 3\n}');
  });

  it('are put into each of several commands', () => {
    assert.equal(qualifyLine('cd /Other; list vlan; list sys db', 'net'), 'cd /Other ; list net vlan ; list sys db');
    assert.equal(qualifyLine('cd /Other; list', ''), 'cd /Other; list');
  });

  it('stay out of what is elsewhere, and of what names no object', () => {
    assert.equal(qualify('list vlan wan', ''), 'list vlan wan');
    assert.equal(qualify('list /sys db', 'net'), 'list /sys db');
    assert.equal(qualify('list sys db', 'net'), 'list sys db');
    assert.equal(qualify('save sys config', 'net'), 'save sys config');
    assert.equal(qualify('show sys config status', 'net'), 'show sys config status');
    assert.equal(qualify('cd /Common', 'net'), 'cd /Common');
    assert.equal(qualify('bogus', 'net'), 'bogus');
  });

  it('keep the blank that a word at the cursor starts behind', () => {
    assert.equal(qualify('list', 'net'), 'list net');
    assert.equal(qualify('list ', 'net'), 'list net ');
    assert.equal(qualify('list vl', 'net'), 'list net vl');
  });
});
