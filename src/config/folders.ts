// Folders: where objects lie. /Common is always there, / is above all of them. Each is an object: types/sys-folder.ts.

import type { Configuration } from './configuration.ts';
import { fullPath } from './name.ts';

export const ROOT = '/';

/** A network is one name, though it holds a slash, and so is a pattern of networks: /Common/10.1.1.0/24, but not /a.b/24. */
const NETWORK_END = /(?<=\/(?:[0-9a-fA-F.:]*[.:][0-9a-fA-F.:]*(?:%[0-9]+)?|[^/]*\*[^/]*))\/[0-9]+$/;

/** The folder that an object of this full path lies in. */
export function folderOf(path: string): string {
  const end = path.replace(NETWORK_END, '').lastIndexOf('/');
  return path.slice(0, end) || ROOT;
}

/** The name of an object within its folder. */
export function leafOf(path: string): string {
  return path.slice(folderOf(path).length).replace(/^\//, '');
}

/** The full path of a folder that was written in `folder`; `..` is the one above. */
export function resolveFolder(word: string, folder: string): string {
  const parts: string[] = [];
  for (const part of fullPath(word, folder).split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}

/** The type of which every folder is an object. */
export const FOLDER = 'sys folder';

/** The key of the object that a folder is. */
export function folderKey(folder: string): string {
  return `${FOLDER} ${folder}`;
}

/** All folders that there are. */
export function foldersOf({ objects }: Pick<Configuration, 'objects'>): ReadonlySet<string> {
  const folders = new Set<string>();
  for (const { type, name } of objects.values()) if (type === FOLDER) folders.add(name);
  return folders;
}

/** The command that makes a folder. */
export function howToMake(folder: string): string {
  return folderOf(folder) === ROOT ? `create auth partition ${leafOf(folder)}` : `create ${folderKey(folder)}`;
}
