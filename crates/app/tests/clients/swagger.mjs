// Swagger UI as a person uses it: logs in behind the Authorize button and calls the API, in a browser without a window.
import assert from 'node:assert/strict';
import { installed, main, newcomer, url } from './harness.mjs';

const { chromium } = installed('playwright-core');
const browser = await chromium.launch({ executablePath: process.env.MANGO_TEST_CHROMIUM });

/** Opens the documentation; gives the page and what its console complains of. */
async function open() {
  const page = await browser.newPage();
  const complaints = [];
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.goto(`${url}/docs`);
  return { page, complaints };
}

/** Fills the login form in and gives the dialog. */
async function authorize(page, phone, password) {
  await page.getByRole('button', { name: 'Authorize', exact: true }).click();
  const dialog = page.locator('.modal-ux');
  await dialog.getByText('username is the phone').waitFor();
  await dialog.getByLabel('username:').fill(phone);
  await dialog.getByLabel('password:', { exact: true }).fill(password);
  await dialog.getByRole('button', { name: 'Apply given OAuth2 credentials' }).click();
  return dialog;
}

/** Executes `GET /user/me` and gives the status and the body that the page shows. */
async function lookAtMyself(page) {
  const operation = page.locator('.opblock', { has: page.locator('[data-path="/user/me"]') });
  await operation.getByRole('button').first().click();
  await operation.getByRole('button', { name: 'Execute' }).click();
  const response = operation.locator('.live-responses-table .response');
  const status = await response.locator('.response-col_status').innerText();
  return { status: status.trim(), body: JSON.parse(await response.locator('.highlight-code code').innerText()) };
}

await main({
  async 'a login with phone and password opens the API'() {
    const ada = await newcomer('Ada');
    const { page, complaints } = await open();
    const dialog = await authorize(page, ada.phone, ada.password);
    await dialog.getByRole('button', { name: 'Remove authorization' }).waitFor();
    await dialog.getByRole('button', { name: 'Close' }).last().click();
    const { status, body } = await lookAtMyself(page);
    assert.deepEqual([status, body.id, body.phone], ['200', ada.id, ada.phone]);
    assert.deepEqual(complaints, []);
  },

  async 'a wrong password is refused, and the API stays closed'() {
    const ada = await newcomer('Ada');
    const { page } = await open();
    const dialog = await authorize(page, ada.phone, 'not the password');
    assert.match(await dialog.locator('.errors').innerText(), /Unauthorized/);
    await dialog.getByRole('button', { name: 'Close' }).last().click();
    assert.equal((await lookAtMyself(page)).status, '401');
  },
});
