//! The application's name, contact and look in the mails of one tenant.

use rosterd::config::product::ProductOf;

use super::{Office, created, deleted, later};
use crate::harness::{
    both,
    broker::{event, user, with},
};

both! {
    fn a_tenant_with_a_name_and_an_address_for_replies_of_its_own_gets_them_in_its_mails_only(app) {
        let office = Office::with(app, |config| {
            config.mail.product = "Hub".to_owned();
            config.mail.reply_to = Some("Hub Help <help@hub.example>".parse().unwrap());
            let own = ProductOf {
                product: Some("Acme Portal".to_owned()),
                reply_to: Some(Some("it@bücher.example".parse().unwrap())),
                ..ProductOf::default()
            };
            config.mail.of.insert("org_1".to_owned(), own);
        });
        let elsewhere = with(user("u9", "active", 1), serde_json::json!({"organization_id": "org_2", "directory_id": "dir_2"}));
        app.play(&[created("u1"), event("c9", "dsync.user.created", 1, elsewhere.clone())]);
        app.play(&[deleted("u1", 9), event("d9", "dsync.user.deleted", 9, elsewhere)]);
        later(app);

        office.send(app);

        let mails = office.mails();
        let of = |tenant: &str| mails.iter().find(|mail| mail.header("X-Rosterd-Tenant") == Some(tenant)).unwrap();
        let (own, all) = (of("org_1"), of("org_2"));
        assert_eq!(own.header("Reply-To"), Some("it@xn--bcher-kva.example"));
        assert_eq!(all.header("Reply-To"), Some("Hub Help <help@hub.example>"));
        assert_eq!(own.header("Content-Language"), Some("en"));
        assert!(own.raw.contains("Acme Portal") && !own.raw.contains("Hub"), "{}", own.raw);
        assert!(all.raw.contains("Application: Hub"), "{}", all.raw);
    }
}
