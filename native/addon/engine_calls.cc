#include <optional>
#include <utility>

#include "arguments.h"
#include "calls.h"
#include "environment.h"
#include "errors.h"
#include "kvbm/job.h"

namespace kvbm::addon {
namespace {

/// A transfer job as JavaScript gave it. The rows belong to JavaScript: they are read at the call.
struct Request {
  JobRows rows;
  /// `sums.into`, or empty.
  Napi::Object into;
};

SumWhen WhenOf(Napi::Value value) {
  const std::string when = value.IsString() ? ToText("sums.when", value) : "";
  if (when == "before") return SumWhen::kBefore;
  if (when == "after") return SumWhen::kAfter;
  ThrowInvalid("sums.when", "'before' or 'after'", value);
}

/// Like the constants in lib/binding.ts.
constexpr std::uint64_t kInBackground = 1;
constexpr std::uint64_t kOnThreads = 2;

std::uint64_t FlagsOf(Napi::Value value) {
  if (value.IsUndefined()) return 0;
  const std::uint64_t flags = ToNonNegative("flags", value);
  if (flags > (kInBackground | kOnThreads)) ThrowInvalid("flags", "an integer of 0 to 3", value);
  return flags;
}

std::optional<Transpose> TransposeOf(Napi::Value value) {
  if (value.IsUndefined()) return std::nullopt;
  const Napi::Object table = ToObject("transpose", value);
  return Transpose{.rows = ToPositive("transpose.rows", table.Get("rows")),
                   .columns = ToPositive("transpose.columns", table.Get("columns")),
                   .cell_bytes = ToPositive("transpose.cellBytes", table.Get("cellBytes"))};
}

/// Asks for every property before it looks at memory: a getter may transfer buffers away.
Request RequestOf(Napi::Value value) {
  const Napi::Object job = ToObject("job", value);
  const Napi::Value runs = job.Get("runs");
  const Napi::Value sums_value = job.Get("sums");
  Request request;
  request.rows.transpose = TransposeOf(job.Get("transpose"));
  if (sums_value.IsUndefined()) {
    request.rows.runs = ToDoubles("runs", runs);
    return request;
  }
  const Napi::Object sums = ToObject("sums", sums_value);
  const Napi::Value pieces = sums.Get("pieces");
  const Napi::Value into = sums.Get("into");
  const Napi::Value when = sums.Get("when");
  request.rows.runs = ToDoubles("runs", runs);
  request.rows.pieces = ToDoubles("sums.pieces", pieces);
  request.rows.blocks = ToWords("sums.into", into).size();
  request.rows.sum_when = WhenOf(when);
  request.into = into.As<Napi::Object>();
  return request;
}

/// `into` may have lost its buffer since the call; it has no words then.
void WriteSums(const Job& job, Napi::Object into) {
  if (!into.IsEmpty()) job.WriteSums(WordsNow(into));
}

/// A job on its way through an engine. Its job and references end on the JavaScript thread.
class Submission final : public Completion {
 public:
  Submission(Napi::Promise::Deferred deferred, Napi::Object into) : deferred_(deferred) {
    if (!into.IsEmpty()) into_ = Napi::Persistent(into);
  }

  void Finish(std::unique_ptr<Job> job, Status status) {
    job_ = std::move(job);
    status_ = std::move(status);
  }

  void Settle(Napi::Env env) noexcept override {
    addon::Settle(deferred_, [&] {
      ThrowUnlessOk(env, status_);
      if (!into_.IsEmpty()) WriteSums(*job_, into_.Value());
      return env.Undefined();
    });
  }

 private:
  const Napi::Promise::Deferred deferred_;
  Napi::ObjectReference into_;
  std::unique_ptr<Job> job_;
  Status status_;
};

void RunNow(Napi::Promise::Deferred deferred, Job& job, Napi::Object into) {
  ThrowUnlessOk(deferred.Env(), job.RunAll());
  WriteSums(job, into);
  deferred.Resolve(deferred.Env().Undefined());
}

void Start(Napi::Promise::Deferred deferred, Engine& engine, double ticket, Urgency urgency,
           std::unique_ptr<Job> job, Napi::Object into) {
  CompletionChannel& channel = Environment::Of(deferred.Env()).channel();
  auto submission = std::make_unique<Submission>(deferred, into);
  // The engine's threads hold no JavaScript thing: they carry this pointer to the channel.
  const auto done = [&channel, carried = submission.get()](std::unique_ptr<Job> ended,
                                                           Status status) {
    carried->Finish(std::move(ended), std::move(status));
    channel.Push(std::unique_ptr<Completion>(carried));
  };
  ThrowUnlessOk(deferred.Env(), engine.Submit(ticket, std::move(job), urgency, done));
  static_cast<void>(submission.release());
  channel.Expect(deferred.Env());
}

}  // namespace

Napi::Value CreateEngine(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Napi::Object options = ToObject("options", info[0]);
  const std::size_t threads = ToPositive("threads", options.Get("threads"));
  const Napi::Value disk = options.Get("diskThreads");
  auto engine = ValueOrThrow(
      env,
      Engine::Create({.memory = threads,
                      .disk = disk.IsUndefined() ? threads : ToPositive("diskThreads", disk)}));
  return Napi::Number::New(
      env, static_cast<double>(Environment::Of(env).engines().Add(std::move(engine))));
}

Napi::Value TuneEngine(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Engine& engine = Environment::Of(env).engines().Get(info[0]);
  const Napi::Object pace = ToObject("pace", info[1]);
  ThrowUnlessOk(env, engine.SetDiskPace(
                         {.depth = ToPositive("depth", pace.Get("depth")),
                          .request_bytes = ToPositive("requestBytes", pace.Get("requestBytes"))}));
  return env.Undefined();
}

Napi::Value Submit(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Promising(env, [&](Napi::Promise::Deferred deferred) {
    Engine& engine = Environment::Of(env).engines().Get(info[0]);
    const double ticket = ToNumber("ticket", info[1]);
    const Request request = RequestOf(info[2]);
    const std::uint64_t flags = FlagsOf(info[3]);
    const ItemSizes sizes = {.file_row_bytes_max = engine.disk_pace().request_bytes};
    auto job = ValueOrThrow(env, Job::Create(RegionTable::Process(), request.rows, sizes));
    if (job->small() && (flags & kOnThreads) == 0 && !engine.closing()) {
      RunNow(deferred, *job, request.into);
    } else {
      const auto urgency = (flags & kInBackground) == 0 ? Urgency::kWanted : Urgency::kBackground;
      Start(deferred, engine, ticket, urgency, std::move(job), request.into);
    }
  });
}

Napi::Value Cancel(const Napi::CallbackInfo& info) {
  Engine& engine = Environment::Of(info.Env()).engines().Get(info[0]);
  return Napi::Boolean::New(info.Env(), engine.Cancel(ToNumber("ticket", info[1])));
}

Napi::Value CloseEngine(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Promising(env, [&](Napi::Promise::Deferred deferred) {
    const double id = info[0].IsNumber() ? info[0].As<Napi::Number>().DoubleValue() : 0;
    Environment::Of(env).engines().Close(env, id, deferred);
  });
}

}  // namespace kvbm::addon
