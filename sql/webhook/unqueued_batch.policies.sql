-- webhook.unqueued_batch - the row-level security policies of the table.
set local role leads_owner;
call app.drop_policies('webhook.unqueued_batch');

-- admin.seal_events, webhook.queue_deliveries
create policy unqueued_batch_jobs_select on webhook.unqueued_batch for select to leads_jobs using (true);
create policy unqueued_batch_jobs_insert on webhook.unqueued_batch for insert to leads_jobs with check (true);
create policy unqueued_batch_jobs_delete on webhook.unqueued_batch for delete to leads_jobs using (true);

-- audit.delete_rows
create policy unqueued_batch_eraser_select on webhook.unqueued_batch for select to leads_eraser using (true);
create policy unqueued_batch_eraser_delete on webhook.unqueued_batch for delete to leads_eraser using (true);
