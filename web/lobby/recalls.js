// What an author takes back on the page "Sealed objects": the form, under an object that the node says is theirs.
import { make } from './page.js';
import { askRecall } from './tdf.js';

const kReasonBytesMax = 500;

// The share by which it is taken back: one of whoever's it is to.
export const ownShare = (answers) => answers.find(({ recall }) => recall === true);

// `ask(service, request)`: as collectKey() wants it; `done(durable)`, `failed(words)`: what came of it.
export function recallForm(object, answers, { ask, done, failed }) {
  const own = ownShare(answers);
  if (own === undefined) return [];
  const form = make('form', '', { class: 'ask', 'data-recall-own': '' });
  const reason = make('input', '', {
    id: 'recall-reason',
    name: 'reason',
    required: '',
    maxlength: String(kReasonBytesMax),
    autocomplete: 'off',
  });
  const button = make('button', 'Recall', { 'data-action': 'recall-own' });
  form.append(
    make('h2', 'You sealed this'),
    make(
      'p',
      'Recall it, and your nation gives out no key of it any more, wherever it was copied; where it is open now, it ' +
        'goes from the page. Whoever tries is told your reason, and not who you are. What was read stays read. This is recorded; an ' +
        'operator of your nation can undo it.',
    ),
    make('label', 'Why', { for: 'recall-reason' }),
    ' ',
    reason,
    ' ',
    button,
  );
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const why = reason.value.trim();
    if (button.disabled || why === '') return;
    if (new TextEncoder().encode(why).length > kReasonBytesMax) return failed('The reason is too long: say it in fewer words.');
    button.disabled = true;
    try {
      const { recalled, durable, refused } = await askRecall(object, own.index, ask, why);
      if (recalled) {
        form.remove();
        done(durable);
      } else failed(refused);
    } catch {
      failed('Your node could not be asked. Try again in a minute.');
    }
    button.disabled = false;
  });
  return [form];
}
