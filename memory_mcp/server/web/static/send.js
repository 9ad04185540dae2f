// Files on their way to the server: one line of JSON that names them, then their bytes.

export const size = (bytes) => (bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${(bytes / 1e6).toFixed(1)} MB`);

// What is wrong with a choice of files; empty if nothing is. The server looks again.
export function refusal(files, bounds, page) {
  const total = files.reduce((sum, file) => sum + file.size, 0);
  if (files.length > bounds.files) return page.t('documents.too_many', { count: files.length, most: bounds.files });
  const large = files.find((file) => file.size > bounds.fileBytes);
  if (large) return page.t('documents.too_large', { name: large.name, size: size(large.size), most: size(bounds.fileBytes) });
  const hollow = files.find((file) => !file.size);
  if (hollow) return page.t('documents.is_empty', { name: hollow.name });
  if (total > bounds.bytes) return page.t('documents.too_much', { size: size(total), most: size(bounds.bytes) });
  return '';
}

export async function send(page, name, files, fields, signal) {
  const head = `${JSON.stringify({ files: files.map((file) => ({ name: file.name, size: file.size })), fields })}\n`;
  const body = new Blob([head, ...files], { type: 'application/octet-stream' });
  return (await page.ask(`/raw/${name}`, { method: 'POST', body, signal })).json();
}
