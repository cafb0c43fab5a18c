#include "train/journal.h"

#include <nlohmann/json.hpp>

#include "gen/core/error.h"
#include "gen/core/log.h"

namespace gen {

Journal::Journal(const RunDir& run, int64_t resume_step) : path_(run.metrics()) {
  run.claim(path_);
  log_ = std::make_unique<MetricsLog>(path_, resume_step);
  events_ = std::make_unique<EventWriter>(run.path());
  run.note_made({events_->path()});
  events_->restart(resume_step);
}

void Journal::train(const TrainLine& line) {
  Json json{{"step", line.step}, {"split", "train"}, {"loss", line.loss}, {"loss_mean", line.loss_mean}};
  for (const auto& [name, value] : line.terms) json[name] = value;
  json["grad_norm"] = line.grad_norm;
  json["lr"] = line.learning_rate;
  if (line.skipped_examples) json["skipped_examples"] = *line.skipped_examples;
  append(std::move(json));
  try {
    events_->scalar("train/loss", line.loss_mean, line.step);
    for (const auto& [name, value] : line.terms) events_->scalar("train/" + name, value, line.step);
    events_->scalar("train/grad_norm", line.grad_norm, line.step);
    events_->scalar("train/lr", line.learning_rate, line.step);
    events_->scalar("train/samples_per_s", line.samples_per_s, line.step);
  } catch (const IoError& e) {
    log::warning("TensorBoard events of step {} are lost: {}", line.step, e.what());
  }
}

void Journal::validation(int64_t step, const ValidationScores& scores) {
  Json json{{"step", step}, {"split", "validation"}, {"loss", scores.loss}};
  for (const auto& [name, value] : scores.terms) json[name] = value;
  json["examples"] = scores.examples;
  append(std::move(json));
  try {
    events_->scalar("validation/loss", scores.loss, step);
    for (const auto& [name, value] : scores.terms) events_->scalar("validation/" + name, value, step);
  } catch (const IoError& e) {
    log::warning("TensorBoard events of step {} are lost: {}", step, e.what());
  }
}

void Journal::picture(int64_t step, const Image& image) {
  try {
    events_->image("samples", image, step);
    events_->flush();
  } catch (const IoError& e) {
    log::warning("the TensorBoard picture of step {} is lost: {}", step, e.what());
  }
}

void Journal::tick() {
  try {
    events_->flush_if_due();
  } catch (const IoError& e) {
    log::warning("TensorBoard events wait to be written: {}", e.what());
  }
}

void Journal::rewind(int64_t step) {
  std::erase_if(pending_, [&](const Json& line) { return line.at("step").get<int64_t>() > step; });
  log_.reset();  // closes the file before it is cut
  log_ = std::make_unique<MetricsLog>(path_, step);
  try {
    events_->restart(step);
  } catch (const IoError& e) {
    log::warning("TensorBoard may show some steps twice: {}", e.what());
  }
}

void Journal::flush() {
  write_pending();
  events_->flush();
}

void Journal::append(Json line) {
  pending_.push_back(std::move(line));
  try {
    write_pending();
  } catch (const IoError& e) {
    log::warning("{} lines of metrics wait to be written: {}", pending_.size(), e.what());
  }
}

void Journal::write_pending() {
  while (!pending_.empty()) {
    log_->append(pending_.front());
    pending_.pop_front();
  }
}

}  // namespace gen
