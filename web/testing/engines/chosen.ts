import { type EngineName, engineNames } from "./engine.js";

/** Returns the engines that the variable ENGINES names, separated by commas or spaces. By default they are all three. */
export function chosenEngines(given = process.env.ENGINES): EngineName[] {
  const names = (given ?? "").split(/[\s,]+/).filter(Boolean);
  for (const name of names) {
    if (!engineNames.includes(name as EngineName)) {
      throw new Error(`ENGINES: there is no engine "${name}": use one of ${engineNames.join(", ")}`);
    }
  }
  return engineNames.filter((name) => !names.length || names.includes(name));
}
