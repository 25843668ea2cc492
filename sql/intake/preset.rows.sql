-- intake.preset - the services whose submissions are known, from their documentation.
set local role leads_owner;

insert into intake.preset (
  name, title, source, required, content_path, list_path, list_keys, list_values, list_labels, titles_path, event_paths,
  signature, mapping
)
values
  -- https://developers.google.com/google-ads/webhook/docs/implementation
  ('google_ads', 'Google Ads lead forms', 'google_ads', '{}', null,
    'user_column_data', '{column_id}', '{string_value}', '{column_name}', null, '{lead_id}', 'google_key',
    '{
      "user_column_data.FULL_NAME": "name",
      "user_column_data.FIRST_NAME": "first_name",
      "user_column_data.LAST_NAME": "last_name",
      "user_column_data.EMAIL": "email",
      "user_column_data.WORK_EMAIL": "email",
      "user_column_data.PHONE_NUMBER": "phone",
      "user_column_data.WORK_PHONE": "phone",
      "user_column_data.COMPANY_NAME": "company",
      "google_key": "ignore",
      "api_version": "ignore",
      "lead_id": "details.google_lead_id"
    }'),
  -- https://www.typeform.com/developers/webhooks/example-payload and …/secure-your-webhooks
  ('typeform', 'Typeform', 'typeform', '{"event_type": "form_response"}', null,
    'form_response.answers', '{field.ref,field.id}',
    '{text,email,phone_number,choice.label,choice.other,choices.labels,choices.other,number,boolean,date,url,file_url,payment.amount}',
    '{}', 'form_response.definition.fields', '{form_response.token}', 'typeform',
    '{
      "type:email": "email",
      "type:phone_number": "phone",
      "form_response.definition.*": "ignore",
      "form_response.ending.*": "ignore",
      "form_response.variables.*": "ignore",
      "event_id": "ignore",
      "event_type": "ignore",
      "form_response.token": "ignore",
      "form_response.landed_at": "ignore"
    }'),
  -- https://www.jotform.com/help/245-how-to-setup-a-webhook-with-jotform
  ('jotform', 'Jotform', 'jotform', '{}', 'rawRequest', null, '{}', '{}', '{}', null, '{submissionID,event_id}', null,
    '{
      "*.area": "phone_area",
      "formID": "details.form_id",
      "formTitle": "details.form_title",
      "submissionID": "ignore",
      "webhookURL": "ignore",
      "ip": "ignore",
      "pretty": "ignore",
      "username": "ignore",
      "type": "ignore",
      "action": "ignore",
      "customParams": "ignore",
      "product": "ignore",
      "slug": "ignore",
      "event_id": "ignore",
      "path": "ignore",
      "buildDate": "ignore",
      "submitDate": "ignore",
      "submitSource": "ignore",
      "timeToSubmit": "ignore",
      "uploadServerUrl": "ignore",
      "jsExecutionTracker": "ignore",
      "eventObserver": "ignore",
      "validatedNewRequiredFieldIDs": "ignore",
      "visitedPages.*": "ignore"
    }'),
  -- https://docs.gravityforms.com/webhooks-add-on and …/entry-object
  ('gravity_forms', 'Gravity Forms', 'website', '{}', null, null, '{}', '{}', '{}', null, '{id}', null,
    '{
      "*.3": "first_name",
      "*.6": "last_name",
      "id": "ignore",
      "post_id": "ignore",
      "date_updated": "ignore",
      "is_starred": "ignore",
      "is_read": "ignore",
      "ip": "ignore",
      "user_agent": "ignore",
      "currency": "ignore",
      "payment_*": "ignore",
      "transaction_*": "ignore",
      "is_fulfilled": "ignore",
      "created_by": "ignore",
      "status": "ignore"
    }'),
  -- https://elementor.com/help/webhook-form-action and https://developers.elementor.com/docs/form-actions
  ('elementor', 'Elementor', 'website', '{}', null,
    'fields', '{}', '{value}', '{title}', null, '{}', null,
    '{
      "type:email": "email",
      "type:tel": "phone",
      "form.id": "ignore",
      "form.name": "details.form_name",
      "form_id": "ignore",
      "meta.*": "ignore",
      "User Agent": "ignore",
      "Remote IP": "ignore",
      "Powered by": "ignore"
    }'),
  -- https://developers.webflow.com/data/docs/working-with-webhooks
  ('webflow', 'Webflow', 'website', '{"triggerType": "form_submission"}', null,
    'payload.data', '{}', '{value}', '{}', null, '{payload.id,payload._id}', 'webflow',
    '{
      "triggerType": "ignore",
      "payload.id": "ignore",
      "payload._id": "ignore",
      "payload.siteId": "ignore",
      "payload.formId": "ignore",
      "payload.formElementId": "ignore",
      "payload.pageId": "ignore",
      "payload.workspaceId": "ignore",
      "payload.schema.*": "ignore",
      "payload.name": "details.form_name"
    }'),
  -- https://developer.calendly.com/api-docs/webhook-payload and …/webhook-signatures
  ('calendly', 'Calendly', 'calendly', '{"event": "invitee.created"}', null,
    'payload.questions_and_answers', '{question}', '{answer}', '{question}', null, '{payload.uri}', 'calendly',
    '{
      "payload.email": "email",
      "payload.name": "name",
      "payload.first_name": "first_name",
      "payload.last_name": "last_name",
      "payload.text_reminder_number": "phone",
      "payload.scheduled_event.start_time": "details.starts_at",
      "payload.scheduled_event.name": "details.event_name",
      "payload.timezone": "details.timezone",
      "payload.uri": "details.calendly_uri",
      "payload.questions_and_answers.*": "auto",
      "payload.tracking.utm_*": "details.*",
      "payload.*": "ignore",
      "event": "ignore",
      "created_at": "ignore",
      "created_by": "ignore"
    }'),
  -- https://developers.facebook.com/docs/marketing-api/guides/lead-ads/retrieving, as automation tools pass a lead on
  ('meta', 'Meta lead ads, passed on by an automation tool', 'facebook', '{}', null, null, '{}', '{}', '{}', null,
    '{leadgen_id,lead_id,id}', null,
    '{
      "full_name": "name",
      "phone_number": "phone",
      "company_name": "company",
      "leadgen_id": "details.meta_lead_id",
      "lead_id": "details.meta_lead_id",
      "id": "details.meta_lead_id"
    }')
on conflict (name) do update
set
  title = excluded.title,
  source = excluded.source,
  required = excluded.required,
  content_path = excluded.content_path,
  list_path = excluded.list_path,
  list_keys = excluded.list_keys,
  list_values = excluded.list_values,
  list_labels = excluded.list_labels,
  titles_path = excluded.titles_path,
  event_paths = excluded.event_paths,
  signature = excluded.signature,
  mapping = excluded.mapping;
