import { until } from "../until.js";
import { COMMAND_TIMEOUT, type Page } from "./engine.js";

/**
 * Goes back (-1) or forward (1) in the history, and waits until the other page is there. Drivers wait for a load, which
 * does not come if the page was in the back/forward cache.
 */
export async function traverse(page: Page, delta: -1 | 1): Promise<void> {
  await page.evaluate((delta) => {
    const scope = globalThis as { parleyLeft?: boolean };
    scope.parleyLeft = true;
    addEventListener("pageshow", () => delete scope.parleyLeft, { once: true });
    setTimeout(() => history.go(delta));
  }, delta);
  const arrived = () => location.href !== "about:blank" && document.readyState === "complete" && !("parleyLeft" in globalThis);
  const look = () => page.evaluate(arrived).catch(() => false); // no page can answer between the two
  await until("the other page is there", look, COMMAND_TIMEOUT);
}
