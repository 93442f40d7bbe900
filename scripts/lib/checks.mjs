// The static checks of package.json, each counted as one test.
import { spawn } from 'node:child_process';

/** Runs a program and resolves to { code, output }; output is stdout and stderr as they came. */
export function runProgram(program, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    let output = '';
    const collect = (chunk) => (output += chunk);
    child.stdout.setEncoding('utf8').on('data', collect);
    child.stderr.setEncoding('utf8').on('data', collect);
    child.on('error', (error) => resolve({ code: 127, output: String(error) }));
    child.on('close', (code) => resolve({ code: code ?? 1, output }));
  });
}

export async function runCheck(name) {
  const { code, output } = await runProgram('npm', ['run', '--silent', `check:${name}`]);
  return { name: `npm run check:${name}`, passed: code === 0, output };
}
