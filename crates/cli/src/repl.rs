//! `worldage repl`: definitions and calls, one after another; each edit with what it invalidated.
//!
//! On a terminal with line editing; otherwise the lines are read as they come, and a mistake makes
//! the status 1 at the end.

use crate::compile::CompileArgs;
use crate::failure::{Done, Failure};
use crate::summary::{self, Work};
use crate::{explain, files, terminal};
use rustyline::error::ReadlineError;
use std::io::{BufRead, IsTerminal};
use std::path::{Path, PathBuf};
use worldage::wir::syntax::{Input, input_kind};
use worldage::{
    CallOptions, EditFailure, EditReport, EmitStage, LookupReport, OptLevel, Session, Value,
};

/// The arguments of `worldage repl`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Files of one program to begin with
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    compile: CompileArgs,
}

const HELP: &str = "\
A definition:  fn f(x: Int64) { x + 1 }     struct P { x: Float64 }
A call:        f(20)      f(P(1.5), -2)     1 + 2
:load FILE            define what a file says
:delete SIGNATURE     delete the method with exactly this signature
:lookup f(Int64)      which method takes these types
:type f(Int64)        the inferred type of the result
:valid                compiled instances whose next call runs no stage
:explain f(Int64)     what the newest edit made of an instance, and why
:emit STAGE f(Int64)  source, inferred, inlined, clif or asm
:help  :quit
";

/// Runs the command.
pub(crate) fn run(args: &Args) -> Done {
    let session = args.compile.session()?;
    session.on_print(Box::new(terminal::program_output));
    if !args.files.is_empty() {
        files::define(&session, &args.files)?;
    }
    let mut repl = Repl {
        session,
        entered: 0,
        failed: false,
    };
    if std::io::stdin().is_terminal() {
        return repl.interactive();
    }
    repl.piped()?;
    match repl.failed {
        true => Err(Failure::Said(1)),
        false => Ok(()),
    }
}

struct Repl {
    session: Session,
    /// How many definitions were entered: their names in positions.
    entered: usize,
    failed: bool,
}

impl Repl {
    fn interactive(&mut self) -> Done {
        let cannot = |error: ReadlineError| {
            let hint = "pipe the lines in instead".to_string();
            Failure::Missing(format!("cannot use the terminal: {error}"), hint)
        };
        let mut editor = rustyline::DefaultEditor::new().map_err(cannot)?;
        terminal::say(":help shows what can be entered, :quit ends\n");
        let mut text = String::new();
        loop {
            let prompt = if text.is_empty() { "> " } else { ". " };
            match editor.readline(prompt) {
                Ok(line) => {
                    let _ = editor.add_history_entry(&line);
                    text.push_str(&line);
                    text.push('\n');
                }
                Err(ReadlineError::Interrupted) => {
                    text.clear();
                    continue;
                }
                Err(ReadlineError::Eof) => return Ok(()),
                Err(error) => return Err(cannot(error)),
            }
            if !self.take(&mut text, false)? {
                return Ok(());
            }
        }
    }

    fn piped(&mut self) -> Done {
        let mut text = String::new();
        for line in std::io::stdin().lock().lines() {
            let line = line
                .map_err(|error| Failure::Usage(format!("cannot read standard input: {error}")))?;
            text.push_str(&line);
            text.push('\n');
            if !self.take(&mut text, false)? {
                return Ok(());
            }
        }
        self.take(&mut text, true).map(drop)
    }

    /// Does what a whole input says and empties it; `at_end` takes an unfinished one too. False
    /// ends the session.
    fn take(&mut self, text: &mut String, at_end: bool) -> Result<bool, Failure> {
        let trimmed = text.trim();
        if let Some(command) = trimmed.strip_prefix(':') {
            let (verb, rest) = command.split_once(' ').unwrap_or((command, ""));
            if matches!(verb, "q" | "quit" | "exit") {
                return Ok(false);
            }
            let done = self.command(verb, rest.trim());
            self.told(done)?;
        } else {
            let done = match input_kind(trimmed) {
                Input::Incomplete if !at_end => return Ok(true),
                Input::Empty => Ok(()),
                Input::Call => self.call(trimmed),
                Input::Definitions | Input::Incomplete => {
                    self.entered += 1;
                    let name = format!("<repl {}>", self.entered);
                    self.edit(|session| session.define(&name, text, None))
                }
            };
            self.told(done)?;
        }
        text.clear();
        Ok(true)
    }

    /// What the program or the input did wrong is said and forgotten.
    fn told(&mut self, done: Done) -> Done {
        match done {
            Err(failure @ (Failure::Program(_) | Failure::Usage(_))) => {
                failure.say();
                self.failed = true;
                Ok(())
            }
            other => other,
        }
    }

    fn edit(&self, edit: impl FnOnce(&Session) -> Result<EditReport, EditFailure>) -> Done {
        let session = &self.session;
        let update = session
            .update(None, edit)
            .map_err(|failure| self.wrong(&failure))?;
        for warning in &update.edit.warnings {
            terminal::say(&session.render(warning));
        }
        terminal::say(&summary::line(&update.edit, &Work::from(&update)));
        Ok(())
    }

    fn call(&self, expr: &str) -> Done {
        let session = &self.session;
        let report = session.call(expr, &CallOptions::default());
        match report.result {
            Ok(Value::Nothing) => Ok(()),
            Ok(value) => terminal::line(&value.show(session.universe()).to_string()),
            Err(failure) => Err(Failure::call(session, &failure)),
        }
    }

    fn command(&self, verb: &str, rest: &str) -> Done {
        let session = &self.session;
        match verb {
            "help" | "h" | "?" => terminal::out(HELP),
            "load" => {
                let file = files::read(Path::new(rest))?;
                self.edit(|session| session.define_files(vec![file]))
            }
            "delete" => self.edit(|session| session.delete(rest, None)),
            "lookup" => {
                let found = session.lookup(rest, None, None);
                match found.map_err(|failure| self.wrong(&failure))? {
                    LookupReport::Method(sig) => terminal::line(&sig),
                    LookupReport::NoMethod => terminal::line("no-matching-method"),
                    LookupReport::Ambiguous(sigs) => {
                        terminal::line("ambiguous-call")?;
                        sigs.iter()
                            .try_for_each(|sig| terminal::line(&format!("  {sig}")))
                    }
                }
            }
            "type" => {
                let ty = session.infer(rest, None);
                terminal::line(&ty.map_err(|failure| self.wrong(&failure))?)
            }
            "valid" => session
                .valid()
                .iter()
                .try_for_each(|name| terminal::line(name)),
            "explain" => {
                let explanation = session.explain(rest);
                let explanation = explanation.map_err(|failure| self.wrong(&failure))?;
                terminal::out(&explain::instance(&explanation))
            }
            "emit" => {
                let (stage, sig) = rest.split_once(' ').unwrap_or((rest, ""));
                let stage = match stage {
                    "source" => EmitStage::Source,
                    "inferred" => EmitStage::Inferred,
                    "inlined" => EmitStage::Inlined,
                    "clif" => EmitStage::Clif,
                    "asm" => EmitStage::Asm,
                    _ => {
                        let message =
                            ":emit takes source, inferred, inlined, clif or asm, then f(Int64)";
                        return Err(Failure::Usage(message.to_string()));
                    }
                };
                let shown = session.emit(sig.trim(), stage, OptLevel::Speed);
                terminal::line(shown.map_err(|failure| self.wrong(&failure))?.trim_end())
            }
            _ => Err(Failure::Usage(format!(
                "there is no command `:{verb}`: enter :help"
            ))),
        }
    }

    fn wrong(&self, failure: &EditFailure) -> Failure {
        Failure::edit(&self.session, failure)
    }
}
