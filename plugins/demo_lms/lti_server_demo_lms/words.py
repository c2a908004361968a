"""What the platform's pages say, in English and French."""

from __future__ import annotations

from flask import request

_FRENCH = {
    "Demo LMS": "LMS de démonstration",
    "Choose a district": "Choisissez un district",
    "This is a demonstration on your own machine: the people are invented, and there are no passwords.": (
        "Ceci est une démonstration sur votre propre machine : les personnes sont inventées, sans mots de passe."
    ),
    "Sign in as": "Se connecter en tant que",
    "Sign in as somebody else": "Se connecter en tant que quelqu’un d’autre",
    "Teachers": "Enseignants",
    "Assistants": "Assistants",
    "Pupils": "Élèves",
    "Administrators": "Administration",
    "Data and privacy": "Données et vie privée",
    "What the tool keeps about": "Ce que l’outil conserve sur",
    "everybody": "tout le monde",
    "Open the privacy page": "Ouvrir la page de confidentialité",
    "Opening the privacy page…": "Ouverture de la page de confidentialité…",
    "Continue to the privacy page": "Continuer vers la page de confidentialité",
    "Courses": "Cours",
    "Lessons": "Leçons",
    "Members": "Membres",
    "teacher": "enseignant",
    "assistant": "assistant",
    "Gradebook": "Carnet de notes",
    "My grades": "Mes notes",
    "Open in a new window": "Ouvrir dans une nouvelle fenêtre",
    "Continue to the lesson": "Continuer vers la leçon",
    "Opening the lesson…": "Ouverture de la leçon…",
    "Signed in as": "Connecté en tant que",
    "Sign out": "Se déconnecter",
    "Name": "Nom",
    "No grade yet": "Pas encore de note",
    "No column yet. One appears with the first score.": "Pas encore de colonne. Elle apparaît avec la première note.",
    "Skip to the content": "Aller au contenu",
    "You are here": "Vous êtes ici",
    "Storage for lessons": "Stockage pour les leçons",
    "Not found": "Introuvable",
    "There is nothing here, or it is not yours to see.": "Il n’y a rien ici, ou ce n’est pas à vous de le voir.",
    "Copy this course": "Copier ce cours",
    "people": "personnes",
    "in progress": "en cours",
    "The tool’s request cannot be answered": "La demande de l’outil ne peut pas être satisfaite",
    "It does not match what is registered here:": "Elle ne correspond pas à ce qui est enregistré ici :",
}


def language() -> str:
    """The better of English and French for this browser."""
    return request.accept_languages.best_match(["en", "fr"]) or "en"


def say(text: str) -> str:
    """A text in the page's language."""
    return _FRENCH.get(text, text) if language() == "fr" else text
