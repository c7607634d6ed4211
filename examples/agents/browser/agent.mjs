// An agent that drives a real browser: it searches, reads, fills in forms and presses buttons, and
// knows nothing of the API. It does one task, `helpdesk-parcel-arrival`, whose prompt has the form
//   "NAME is waiting for her THING. … tells her that MESSAGE, and set the status to STATUS."
// playwright-core brings no browser of its own; it uses the one at CHROMIUM_PATH or in a usual place.

import { accessSync, appendFileSync, constants, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { chromium } from 'playwright-core';

const DONE = 0;
const GAVE_UP = 1;
const TRY_AGAIN = 75; // EX_TEMPFAIL: the environment was not there
const PATIENCE = 15_000; // milliseconds for anything on a page; the app is on this machine

class GaveUp extends Error {}
class EnvironmentLost extends Error {}

let steps = 0;

/** Announces one action, counts it, and puts it into the transcript. */
async function step(what, action) {
  steps += 1;
  console.log(`STEP ${steps}: ${what}`);
  note({ role: 'assistant', content: what });
  return action();
}

function note(line) {
  const file = process.env.HARNESS_TRANSCRIPT_FILE;
  if (file) appendFileSync(file, `${JSON.stringify(line)}\n`);
}

function browserPath() {
  const candidates = [
    process.env.CHROMIUM_PATH,
    '/usr/bin/chromium',
    '/usr/bin/chromium-browser',
    '/usr/bin/google-chrome-stable',
    '/usr/bin/google-chrome',
    '/snap/bin/chromium',
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
    '/Applications/Chromium.app/Contents/MacOS/Chromium',
  ];
  for (const path of candidates) {
    if (!path) continue;
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // not here, the next one
    }
  }
  throw new GaveUp('no Chromium found; set CHROMIUM_PATH to one');
}

function understand(prompt) {
  const found = prompt.match(
    /^(\w+ \w+) is waiting for \w+ ([^.]+)\. .*public comment that tells \w+ that (.+?), and set the status to (\w+)/s,
  );
  if (!found) throw new GaveUp('I do not understand what is asked for');
  const [, customer, thing, message, status] = found;
  return { customer, thing, message, status };
}

async function work(page, app, { customer, thing, message, status }) {
  await step('open the desk', async () => {
    const response = await page.goto(app).catch((error) => {
      throw new EnvironmentLost(`the app does not answer: ${error.message.split('\n')[0]}`);
    });
    if (!response || response.status() >= 500) throw new EnvironmentLost(`the app answers ${response?.status()}`);
  });
  await step('go to the tickets', () =>
    page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Tickets', exact: true }).click(),
  );
  await step(`search for "${thing}"`, async () => {
    await page.getByLabel('Search').fill(thing);
    await page.getByRole('button', { name: 'Search' }).click();
  });
  const row = page.getByRole('table', { name: 'Tickets' }).getByRole('row').filter({ hasText: customer });
  const matches = await row.count();
  if (matches !== 1) throw new GaveUp(`${matches} tickets of ${customer} are about ${thing}`);
  const subject = row.locator('a.subject');
  await step(`open "${await subject.innerText()}"`, () => subject.click());
  await step('write the comment', async () => {
    await page.getByLabel('Comment', { exact: true }).fill(`Good news: ${message}.`);
    await page.getByLabel('Who may read it').selectOption('public');
    await page.getByRole('button', { name: 'Add comment' }).click();
    await page.getByRole('status').getByText('Your comment was added.').waitFor();
  });
  await step(`set the status to ${status}`, async () => {
    await page.getByLabel('Status', { exact: true }).selectOption(status);
    await page.getByRole('button', { name: 'Save changes' }).click();
    await page.getByRole('status').getByText('Your changes were saved.').waitFor();
  });
  if (process.env.HARNESS_TRIAL_DIR) {
    await page.screenshot({ path: join(process.env.HARNESS_TRIAL_DIR, 'last-page.png'), fullPage: true });
  }
  return `${customer} has been told that ${message}; the ticket is ${status}.`;
}

async function main() {
  const prompt = process.env.FLEET_TASK_PROMPT;
  const app = process.env.FLEET_APP_URL || process.env.FLEET_ENV_URL;
  const result = { completed: false };
  let exitCode = GAVE_UP;
  let browser;
  try {
    if (!prompt || !app) throw new GaveUp('FLEET_TASK_PROMPT and FLEET_APP_URL are not set; start this with "harness run"');
    note({ role: 'user', content: prompt });
    const wanted = understand(prompt);
    const args = [
      '--disable-background-networking', // no updates, no pings: only the app is to be talked to
      '--disable-component-update',
      '--disable-dev-shm-usage', // /dev/shm is small in containers
      '--no-first-run',
      '--proxy-server=direct://',
    ];
    // Chromium's own sandbox refuses to run as root, which is what containers often are.
    if (process.getuid?.() === 0) args.push('--no-sandbox');
    browser = await chromium.launch({ executablePath: browserPath(), headless: true, args });
    const page = await browser.newPage({
      viewport: {
        width: Number(process.env.FLEET_SCREEN_WIDTH) || 1280,
        height: Number(process.env.FLEET_SCREEN_HEIGHT) || 900,
      },
    });
    page.setDefaultTimeout(PATIENCE);
    result.final_answer = await work(page, app, wanted);
    result.completed = true;
    exitCode = DONE;
  } catch (error) {
    const lost = error instanceof EnvironmentLost;
    result.error = error.message.split('\n')[0];
    result.error_kind = lost ? 'infrastructure' : 'agent';
    exitCode = lost ? TRY_AGAIN : GAVE_UP;
  } finally {
    await browser?.close().catch(() => {});
  }
  result.steps_taken = steps;
  note({ role: 'assistant', content: result.final_answer ?? `I stop here: ${result.error}` });
  const text = JSON.stringify(result);
  if (process.env.HARNESS_RESULT_FILE) writeFileSync(process.env.HARNESS_RESULT_FILE, text);
  else console.log(text);
  process.exitCode = exitCode;
}

await main();
