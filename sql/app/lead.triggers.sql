-- app.lead - the triggers of the table.
set local role leads_owner;
call app.drop_triggers('app.lead');
call app.check_arrivals('app.lead');

-- TRUNCATE fires no row trigger, so that the audit log would not record it.
create trigger _100_refuse_truncate before truncate on app.lead
  for each statement execute function audit.tg_refuse('Delete leads with DELETE, so that each is recorded.');

create trigger _110_check_first_score before insert on app.lead
  for each row when (new.score_id is not null) execute function scoring.tg_lead__check_score();

create trigger _120_check_score before update on app.lead
  for each row when (old.score_id is distinct from new.score_id) execute function scoring.tg_lead__check_score();

create trigger _500_stamp before insert or update on app.lead
  for each row execute function app.tg_lead__stamp();

create trigger _600_keep_first_score after insert on app.lead
  for each row when (new.lead_score <> 0 or new.ai_reasoning is not null)
  execute function scoring.tg_lead__keep_score();

create trigger _610_keep_set_score after update on app.lead
  for each row
  when (
    (old.lead_score, old.ai_reasoning) is distinct from (new.lead_score, new.ai_reasoning)
    and old.score_id is not distinct from new.score_id
  )
  execute function scoring.tg_lead__keep_score();

-- An erasure records lead.erased, without values.
create trigger _900_record after insert or update or delete on app.lead
  for each row when (current_user <> 'leads_eraser') execute function audit.tg_lead__record();

-- After _900_record, so that the event of the change comes before the event of the push.
create trigger _910_push_first_stage after insert on app.lead
  for each row execute function crm.tg_lead__push();

create trigger _920_push_stage after update on app.lead
  for each row when (old.pipeline_stage is distinct from new.pipeline_stage) execute function crm.tg_lead__push();
